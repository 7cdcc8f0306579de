package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/dynamicpb"
)

// pipelines is what a caller needs to know of the gateway's own service.
const pipelines = `
message PipelineStep { oneof processor { ResizeRequest resize = 1; FilterRequest filter = 3; } }
message RunPipelineRequest { ImageData input_image = 1; string execution_id = 3; repeated PipelineStep steps = 4; }
message RunPipelineResponse { string execution_id = 1; ImageData output_image = 3; }
service PipelineService { rpc RunPipeline(RunPipelineRequest) returns (RunPipelineResponse); }`

// ingress is where calls from outside the cluster arrive; the host name tells the
// Service.
const ingress = "traefik.traefik.svc.cluster.local:80"

// outside calls the gateway as one who is not in the cluster.
func outside(t testing.TB, host string) *caller {
	t.Helper()
	conn := dial(t, ingress, grpc.WithAuthority(host))
	return &caller{conn, contract(t, pipelines).Services().ByName("PipelineService")}
}

// TestOnClusterFromOutside calls through the ingress: the gateway is there, and
// nothing else.
func TestOnClusterFromOutside(t *testing.T) {
	needsCluster(t)
	s := connect(t)
	call := outside(t, "grpc-gateway."+namespace+".example.test")
	healthy, err := healthpb.NewHealthClient(call.conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil || healthy.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", healthy, err)
	}
	run := placed(t, s)
	request := func(picture, execution string) string {
		return fmt.Sprintf(`{"input_image":{"bucket":%q,"object_key":"%s/%s"},"execution_id":"%s/%s",
			"steps":[{"resize":{"target_width":100}},{"filter":{"filter_type":"FILTER_TYPE_BLUR","intensity":1}}]}`, bucket, run, picture, run, execution)
	}
	began := time.Now()
	response, err := call.unary(t, "RunPipeline", request("in.jpg", "outside"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a pipeline of two steps from outside: %v", time.Since(began).Round(time.Millisecond))
	if key := field(response, "output_image", "object_key").String(); key != run+"/outside_filter.jpg" || !s.exists(key) {
		t.Errorf("output %q", key)
	}
	if _, err := call.unary(t, "RunPipeline", request("missing.jpg", "missing")); status.Code(err) != codes.NotFound {
		t.Errorf("a missing picture: %v", err)
	}
	endsInTime(t, "outside", func(ctx context.Context) error {
		path, m := call.method("RunPipeline")
		return call.conn.Invoke(ctx, path, message(t, m.Input(), request("big.png", "outside-late")), dynamicpb.NewMessage(m.Output()))
	})
	awaitOutcome(t, run+"/outside-late", "cancelled")
	for _, host := range []string{".svc.cluster.local", ".example.test"} {
		hidden := outside(t, "resize-grpc-service."+namespace+host)
		if _, err := healthpb.NewHealthClient(hidden.conn).Check(t.Context(), &healthpb.HealthCheckRequest{}); status.Code(err) != codes.Unimplemented {
			t.Errorf("resize can be reached from outside: %v", err)
		}
	}
}

// TestOnClusterFromInside calls the processors by their cluster-local names.
func TestOnClusterFromInside(t *testing.T) {
	needsCluster(t)
	s := connect(t)
	run := placed(t, s)
	file := contract(t)
	for _, c := range services {
		call := s.caller(t, file, c.part, c.service)
		request := func(picture, execution string) string {
			return fmt.Sprintf(`{"input_image":{"bucket":%q,"object_key":"%s/%s"},"execution_id":"%s/%s",%s}`, bucket, run, picture, run, execution, c.fields)
		}
		t.Run(c.part, func(t *testing.T) {
			began := time.Now()
			if _, err := call.unary(t, c.unary, request("in.jpg", "one")); err != nil {
				t.Fatal(err)
			}
			t.Logf("unary: %v", time.Since(began).Round(time.Millisecond))
			var requests []string
			for i := range 200 {
				requests = append(requests, request("in.jpg", fmt.Sprintf("many-%d", i)))
			}
			began = time.Now()
			responses := call.stream(t, c.unary+"Stream", requests)
			t.Logf("a stream of 200: %v", time.Since(began).Round(time.Millisecond))
			if len(responses) != len(requests) {
				t.Fatalf("%d responses", len(responses))
			}
			for i, r := range responses {
				if key := field(r, "result", "output_image", "object_key").String(); key != fmt.Sprintf("%s/many-%d_%s.jpg", run, i, c.suffix) {
					t.Errorf("item %d is %q", i, key)
				}
			}
		})
		t.Run(c.part+" deadline", func(t *testing.T) {
			path, m := call.method(c.unary)
			endsInTime(t, c.part, func(ctx context.Context) error {
				return call.conn.Invoke(ctx, path, message(t, m.Input(), request("big.png", c.part+"-late")), dynamicpb.NewMessage(m.Output()))
			})
			awaitOutcome(t, run+"/"+c.part+"-late", "cancelled")
		})
		t.Run(c.part+" cancel", func(t *testing.T) {
			call.cancelled(t, c.unary+"Stream", request("in.jpg", "before"), request("big.png", c.part+"-given-up"))
			awaitOutcome(t, run+"/"+c.part+"-given-up", "cancelled")
		})
	}
}

// placed puts a picture, and one that takes long, under a prefix of this run.
func placed(t testing.TB, s *system) (prefix string) {
	t.Helper()
	prefix = fmt.Sprintf("grpc/%d", time.Now().UnixNano())
	s.place(t, prefix+"/in.jpg", jpegOf(t, 400, 300))
	s.place(t, prefix+"/big.png", bigPNG(t))
	return prefix
}

// endsInTime checks that a call ends soon after its deadline, and by it.
func endsInTime(t testing.TB, what string, call func(context.Context) error) {
	t.Helper()
	const allowed = 150 * time.Millisecond
	began := time.Now()
	ctx, cancel := context.WithDeadline(context.Background(), began.Add(allowed))
	defer cancel()
	if err := call(ctx); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("%s: %v, want DEADLINE_EXCEEDED", what, err)
	}
	t.Logf("%s: %v after a deadline of %v", what, time.Since(began).Round(time.Millisecond), allowed)
}

// cancelled gives a stream up once its first request is answered, in the middle
// of the second.
func (c *caller) cancelled(t testing.TB, name, first, second string) {
	t.Helper()
	path, m := c.method(name)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := c.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, path)
	if err != nil {
		t.Fatal(err)
	}
	answer := dynamicpb.NewMessage(m.Output())
	if err := stream.SendMsg(message(t, m.Input(), first)); err != nil {
		t.Fatal(err)
	}
	if err := stream.RecvMsg(answer); err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(message(t, m.Input(), second)); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(150*time.Millisecond, cancel)
	if err := stream.RecvMsg(answer); status.Code(err) != codes.Canceled {
		t.Errorf("%v, want CANCELLED", err)
	}
}

// TestOnClusterStreamsSpread opens a connection and a stream for each of eight
// callers while resize has two pods.
func TestOnClusterStreamsSpread(t *testing.T) {
	needsCluster(t)
	s := connect(t)
	run := placed(t, s)
	revise(t, serviceOf["resize"], `[{"op":"replace","path":"/spec/template/metadata/annotations/autoscaling.knative.dev~1min-scale","value":"2"}]`)
	selector := "serving.knative.dev/revision=" + latest(t, serviceOf["resize"])
	eventually(t, "two pods", func() bool {
		return strings.Count(kubectl(t, "get", "pods", "-n", namespace, "-l", selector, "-o", `jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}`), "True") == 2
	})
	var all sync.WaitGroup
	file := contract(t)
	for i := range 8 {
		call := s.caller(t, file, "resize", "ResizeService")
		all.Go(func() {
			var requests []string
			for j := range 10 {
				requests = append(requests, fmt.Sprintf(`{"input_image":{"bucket":%q,"object_key":"%s/in.jpg"},"execution_id":"%s/%d-%d","target_width":100}`, bucket, run, run, i, j))
			}
			if got := len(call.stream(t, "ResizeImageStream", requests)); got != len(requests) {
				t.Errorf("%d responses", got)
			}
		})
	}
	all.Wait()
	counts := map[string]int{}
	eventually(t, "the pods to log all jobs", func() bool {
		clear(counts)
		for _, j := range jobs(t, selector, run+"/") {
			counts[j.pod]++
		}
		total := 0
		for _, n := range counts {
			total += n
		}
		return total == 80
	})
	t.Logf("jobs by pod: %v", counts)
	if len(counts) != 2 {
		t.Errorf("%d pods worked, want 2", len(counts))
	}
}

// loggedJob is a line that a processor logs of a job.
type loggedJob struct{ pod, Msg, Execution, Outcome string }

// jobs are those of executions with the prefix that the selected pods log.
func jobs(t testing.TB, selector, prefix string) (found []loggedJob) {
	t.Helper()
	for pod := range strings.FieldsSeq(kubectl(t, "get", "pods", "-n", namespace, "-l", selector, "-o", "name")) {
		for line := range strings.Lines(kubectl(t, "logs", "-n", namespace, pod)) {
			j := loggedJob{pod: pod}
			if json.Unmarshal([]byte(line), &j) == nil && j.Msg == "job" && strings.HasPrefix(j.Execution, prefix) {
				found = append(found, j)
			}
		}
	}
	return found
}

// awaitOutcome waits until the first processor that works on the execution logs
// how it ended.
func awaitOutcome(t testing.TB, execution, want string) {
	t.Helper()
	var ended []loggedJob
	eventually(t, execution+" to end", func() bool {
		ended = jobs(t, "app.kubernetes.io/component=processor", execution)
		return len(ended) > 0
	})
	for _, j := range ended {
		if j.Outcome != want {
			t.Errorf("%s ended as %q, want %q", execution, j.Outcome, want)
		}
	}
}
