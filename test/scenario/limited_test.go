package scenario

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"imageflow.dev/internal/testing/cgroup"
	"imageflow.dev/internal/testing/freeport"
)

// hostile makes TestRolesLiveUnderAttack use full strength: `make hostile`.
var hostile = flag.Bool("hostile", false,
	"attack with full strength and judge latencies, on a machine that has nothing else to do")

// gatewayToken is the token of the limited gateway.
const gatewayToken = "the-gateway-token"

// imageEnvironment has the variables of the container images, without GOMEMLIMIT.
var imageEnvironment = []string{
	"VIPS_CONCURRENCY=1", "MALLOC_ARENA_MAX=2", "MALLOC_MMAP_THRESHOLD_=1048576", "MALLOC_TRIM_THRESHOLD_=16777216",
	"VIPS_DISC_THRESHOLD=1g", "VIPS_WARNING=1", "GOGC=400",
}

// limited runs every role in a memory cgroup with the limit and the environment of its manifest.
// The store and the broker belong to a local mode outside.
type limited struct {
	*system
	store  *stallingStore
	groups map[string]*cgroup.Group
}

func startLimited(t *testing.T) *limited {
	t.Helper()
	if *detectRaces {
		t.Skip("left out, for the race detector takes several times the memory: make hostile")
	}
	s := local(t, setup{})
	l := &limited{s, newStallingStore(t, s.addresses["s3"]), map[string]*cgroup.Group{}}
	for name := range serviceOf {
		s.addresses[name] = freeport.Address()
	}
	for name, service := range serviceOf {
		l.start(t, name, manifestOf(t, service))
	}
	return l
}

// manifestOf returns a Service of config/base.
func manifestOf(t testing.TB, service string) *servingv1.Service {
	t.Helper()
	all, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).
		Run(filesys.MakeFsOnDisk(), filepath.Join("..", "..", "config", "base"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all.Resources() {
		if r.GetKind() != "Service" || r.GetName() != service {
			continue
		}
		text, err := r.AsYAML()
		s := &servingv1.Service{}
		if err := errors.Join(err, yaml.Unmarshal(text, s)); err != nil {
			t.Fatal(err)
		}
		return s
	}
	t.Fatalf("no Service %s", service)
	return nil
}

func (l *limited) start(t *testing.T, role string, s *servingv1.Service) {
	t.Helper()
	c := s.Spec.Template.Spec.Containers[0]
	group, err := cgroup.New(c.Resources.Limits.Memory().Value())
	if errors.Is(err, cgroup.ErrUnavailable) {
		t.Skip("left out, for it needs root and Linux: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = group.Close() }) // after the process has ended
	l.groups[role] = group
	host, port, _ := net.SplitHostPort(l.addresses[role])
	env := slices.Clone(imageEnvironment)
	for _, e := range c.Env {
		if e.ValueFrom == nil {
			env = append(env, e.Name+"="+e.Value)
		}
	}
	env = append(env, "HOST="+host, "PORT="+port, "METRICS_PORT=0", "GOMAXPROCS=2", "ONNXRUNTIME_PROVIDER=cpu",
		"MINIO_ENDPOINT="+l.store.address, "MINIO_ACCESS_KEY="+accessKey, "MINIO_SECRET_KEY="+secretKey,
		"MODEL_REPOSITORY=functions/detect/model/repository", "BROKER_URL="+l.url("broker", "/image-processing/default"),
		"BRIDGE_TOKEN="+bridgeToken, "GATEWAY_TOKEN="+gatewayToken, "EVENT_SIGNING_KEYS="+signingKey,
		"ALLOW_UNSIGNED_EVENTS=true", "RESIZE_GRPC_ENDPOINT="+l.addresses["resize"],
		"AI_DETECTION_GRPC_ENDPOINT="+l.addresses["detect"], "FILTER_GRPC_ENDPOINT="+l.addresses["filter"])
	launchCommand(t, "serving", env, group.Command(filepath.Join(binaries, "imageflow"), role))
}

// TestRolesLiveUnderAttack: under every attack no role runs out of memory, all roles stay healthy,
// and a well-behaved caller is served.
func TestRolesLiveUnderAttack(t *testing.T) {
	l := startLimited(t)
	gateway := l.url("gateway", "")
	quiet := callFor(t, gateway, time.Duration(strong(1, 10))*time.Second)
	yieldCores(t)
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			attack := a.prepare(t, l)
			caller := startPhotoCaller(t, gateway)
			l.attackFor(t, time.Duration(strong(0, 15))*time.Second, attack)
			during := caller.end(t)
			l.wantAlive(t)
			after := callFor(t, gateway, time.Duration(strong(1, 5))*time.Second)
			t.Logf("p99 %v during the attack (%d calls, %d busy), %v before, %v after; %s",
				p99(during.All), len(during.All), during.Busy, p99(quiet.All), p99(after.All), l.peaks())
			if limit := 3 * max(p99(quiet.All), p99(after.All)); *hostile && p99(during.All) > limit {
				t.Errorf("p99 %v during the attack, want at most %v", p99(during.All), limit)
			}
		})
	}
}

// attackFor repeats an attack for at least d.
func (l *limited) attackFor(t *testing.T, d time.Duration, attack func(context.Context)) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for began := time.Now(); ; {
		attack(ctx)
		if ctx.Err() != nil || time.Since(began) >= d {
			return
		}
	}
}

// wantAlive checks that no role was killed and that all are serving.
func (l *limited) wantAlive(t *testing.T) {
	t.Helper()
	for role, group := range l.groups {
		if kills, err := group.Kills(); err != nil || kills > 0 {
			t.Fatalf("%s: %d kills for lack of memory, %v", role, kills, err)
		}
		eventually(t, role+" to serve", func() bool {
			resp, err := http.Get(l.url(role, "/health/readiness"))
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			return resp.StatusCode == http.StatusOK
		})
	}
}

func (l *limited) peaks() string {
	var all []string
	for role, group := range l.groups {
		peak, _ := group.Peak()
		all = append(all, fmt.Sprintf("%s %d MiB", role, peak>>20))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func p99(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)*99/100]
}
