package scenario

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"imageflow.dev/internal/testing/freeport"
	realminio "imageflow.dev/internal/testing/minio"
)

// deployment is ImageFlow as on a cluster: every role and the broker is a process of its own, with
// a real MinIO. Each can be killed and restarted.
type deployment struct {
	system
	env   []string // of every role and the broker, when it starts
	parts map[string]*part
	minio *realminio.Server
	other *store // in place of minio
	queue string // the folder of MinIO's notifications
}

// part is a process that can be restarted.
type part struct {
	name  string
	start func() *process

	mu   sync.Mutex
	runs []*process // the last one is alive
}

// serviceOf maps parts to their Services in the manifests.
var serviceOf = map[string]string{
	"resize": "resize-grpc-service", "detect": "ai-detection-grpc-service", "filter": "filter-grpc-service",
	"gateway": "grpc-gateway", "bridge": "bridge",
}

const bridgeToken = "the-bridge-token"

// deploy starts everything; the environment of the setup goes to every role and the broker, its
// flags to the broker.
func deploy(t testing.TB, c setup) *deployment {
	t.Helper()
	d := &deployment{system: system{addresses: map[string]string{}}, parts: map[string]*part{}, env: c.env, other: c.store}
	for _, name := range parts {
		d.addresses[name] = freeport.Address()
		d.addresses[name+" metrics"] = freeport.Address()
	}
	if d.other != nil {
		d.useStore(t)
	} else {
		d.startMinIO(t, c.forgetful)
	}
	broker := []string{"broker", "--address", d.addresses["broker"], "--data", t.TempDir()}
	broker = append(broker, c.flags...)
	for name, service := range serviceOf {
		broker = append(broker, "--service", service+"="+d.url(name, ""))
	}
	d.add("broker", func() *process { return launch(t, "serving", d.env, "imageflow-local", broker...) })
	for name := range serviceOf {
		d.add(name, func() *process {
			return launch(t, "serving", append(d.environment(name), d.env...), "imageflow", name)
		})
	}
	for _, p := range d.parts {
		p.restart(t)
	}
	return d
}

func (d *deployment) add(name string, start func() *process) {
	d.parts[name] = &part{name: name, start: start}
}

// environment returns the environment of a role.
func (d *deployment) environment(role string) []string {
	host, port, _ := net.SplitHostPort(d.addresses[role])
	accessKey, secretKey := d.credentials(role)
	_, metrics, _ := net.SplitHostPort(d.addresses[role+" metrics"])
	return append(d.other.settingsOf(), []string{
		"HOST=" + host, "PORT=" + port, "METRICS_PORT=" + metrics, "DRAIN_DELAY=0s",
		"MINIO_ENDPOINT=" + d.addresses["s3"], "MINIO_ACCESS_KEY=" + accessKey, "MINIO_SECRET_KEY=" + secretKey,
		"MODEL_REPOSITORY=functions/detect/model/repository",
		"BROKER_URL=" + d.url("broker", "/image-processing/default"), "BRIDGE_TOKEN=" + bridgeToken,
		"RESIZE_GRPC_ENDPOINT=" + d.addresses["resize"], "AI_DETECTION_GRPC_ENDPOINT=" + d.addresses["detect"],
		"FILTER_GRPC_ENDPOINT=" + d.addresses["filter"],
	}...)
}

// restart kills the part, if it runs, and starts it again.
func (p *part) restart(t testing.TB) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.runs); n > 0 {
		p.runs[n-1].kill(t)
	}
	p.runs = append(p.runs, p.start())
}

// pid returns the process id of a part.
func (d *deployment) pid(name string) int {
	runs := d.parts[name].runs
	return runs[len(runs)-1].cmd.Process.Pid
}

// startMinIO starts a MinIO that keeps its notifications on disk until the bridge
// has accepted them, unless it is forgetful.
func (d *deployment) startMinIO(t testing.TB, forgetful bool) {
	t.Helper()
	env := []string{
		"MINIO_NOTIFY_WEBHOOK_ENABLE_IMAGEFLOW=on", "MINIO_NOTIFY_WEBHOOK_ENDPOINT_IMAGEFLOW=" + d.url("bridge", "/notifications"),
		"MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_IMAGEFLOW=Bearer " + bridgeToken,
	}
	if !forgetful {
		d.queue = t.TempDir()
		env = append(env, "MINIO_NOTIFY_WEBHOOK_QUEUE_DIR_IMAGEFLOW="+d.queue)
	}
	d.minio = realminio.Start(t, env...)
	d.addresses["s3"] = d.minio.Address
	d.s3 = client(t, d.minio.Address, realminio.AccessKey, realminio.SecretKey)
	users := t.TempDir()
	for role := range serviceOf {
		d.writeUser(t, users, role)
	}
	d.command(t, "setup", "imageflow", "setup", "--policies", filepath.Join("..", "..", "config", "minio-policies"),
		"--users", users)
	d.command(t, "bridge", "imageflow", "setup", "--check")
}

// writeUser writes the credentials of a role's user, as secrets are mounted.
func (d *deployment) writeUser(t testing.TB, folder, role string) {
	t.Helper()
	accessKey, secretKey := d.credentials(role)
	err := os.Mkdir(filepath.Join(folder, role), 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, role, "access-key"), []byte(accessKey), 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, role, "secret-key"), []byte(secretKey), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// credentials returns the credentials of a role's own user in the store, with the rights in
// config/minio-policies, and the administrator's for other parts.
func (d *deployment) credentials(role string) (accessKey, secretKey string) {
	switch {
	case d.other != nil:
		return d.other.accessKey, d.other.secretKey
	case serviceOf[role] == "":
		return realminio.AccessKey, realminio.SecretKey
	}
	return "imageflow-" + role, "the secret of " + role
}

// output returns the output of all runs of a part, which must have ended.
func (p *part) output() string {
	var all strings.Builder
	for _, run := range p.runs {
		fmt.Fprint(&all, run.output)
	}
	return all.String()
}

// stopAll stops the parts with SIGTERM.
func (d *deployment) stopAll(t testing.TB) {
	t.Helper()
	for name, p := range d.parts {
		if err := p.runs[len(p.runs)-1].stop(t); err != nil {
			t.Errorf("the end of %s: %v", name, err)
		}
	}
}

// command runs one of our commands to its end, with the environment of a role.
func (d *deployment) command(t testing.TB, role, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(binaries, name), args...)
	cmd.Env = append(append(os.Environ(), "EVENT_SIGNING_KEYS="+signingKey), d.environment(role)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}
