package scenario

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// pipelines is the schema of the gateway's own service.
const pipelines = `
message PipelineStep { oneof processor { ResizeRequest resize = 1; FilterRequest filter = 3; } }
message RunPipelineRequest { ImageData input_image = 1; string execution_id = 3; repeated PipelineStep steps = 4; }
message RunPipelineResponse { string execution_id = 1; ImageData output_image = 3; }
service PipelineService { rpc RunPipeline(RunPipelineRequest) returns (RunPipelineResponse); }`

// ingress is where calls from outside the cluster arrive; the host name selects the
// Service.
const ingress = "traefik.traefik.svc.cluster.local:80"

// outside calls the gateway from outside the cluster.
func outside(t testing.TB, host string) *caller {
	t.Helper()
	conn := dial(t, ingress, grpc.WithAuthority(host))
	return &caller{conn, contract(t, pipelines).Services().ByName("PipelineService")}
}

// TestOnClusterFromOutside: through the ingress, the gateway can be reached and nothing else.
func TestOnClusterFromOutside(t *testing.T) {
	needsCluster(t)
	s := connect(t)
	call := outside(t, "grpc-gateway."+namespace+".example.test")
	healthy, err := healthpb.NewHealthClient(call.conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil || healthy.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", healthy, err)
	}
	run := placed(t, s)
	request := func(img, execution string) string {
		return fmt.Sprintf(`{"input_image":{"bucket":%q,"object_key":"%s/%s"},"execution_id":"%s/%s",
			"steps":[{"resize":{"target_width":100}},{"filter":{"filter_type":"FILTER_TYPE_BLUR","intensity":1}}]}`,
			bucket, run, img, run, execution)
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
		t.Errorf("a missing image: %v", err)
	}
	half := call.timed(t, "RunPipeline", request("big.png", "outside-whole")) / 2
	endsInTime(t, "outside", half, func(ctx context.Context) error {
		path, m := call.method("RunPipeline")
		return call.conn.Invoke(ctx, path, message(t, m.Input(), request("big.png", "outside-late")), dynamicpb.NewMessage(m.Output()))
	})
	awaitOutcome(t, run+"/outside-late", "cancelled")
	for _, host := range []string{".svc.cluster.local", ".example.test"} {
		hidden := outside(t, "resize-grpc-service."+namespace+host)
		_, err := healthpb.NewHealthClient(hidden.conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("resize can be reached from outside: %v", err)
		}
	}
}

// TestOnClusterFromInside calls the processors by their cluster-local names, from
// the node, or wherever this runs, and from a pod.
func TestOnClusterFromInside(t *testing.T) {
	needsCluster(t)
	s := connect(t)
	file := contract(t)
	for _, c := range services {
		for from, options := range map[string][]grpc.DialOption{"here": nil, "a pod": {fromPod(t)}} {
			call := &caller{
				dial(t, "passthrough:///"+s.addresses[c.part], options...), file.Services().ByName(protoreflect.Name(c.service)),
			}
			run := placed(t, s)
			request := func(img, execution string) string {
				return fmt.Sprintf(`{"input_image":{"bucket":%q,"object_key":"%s/%s"},"execution_id":"%s/%s",%s}`, bucket, run,
					img, run, execution, c.fields)
			}
			t.Run(c.part+" from "+from, func(t *testing.T) {
				began := time.Now()
				if _, err := call.unary(t, c.unary, request("in.jpg", "one")); err != nil {
					t.Fatal(err)
				}
				t.Logf("unary: %v", time.Since(began).Round(time.Millisecond))
				call.streamsInOrder(t, c.unary+"Stream", c.suffix, run, request)
				call.stops(t, c.unary, run, request)
				for _, name := range []string{"/late", "/given-up"} {
					if keys := s.keys(t, run+name); len(keys) > 0 {
						t.Errorf("written for nobody: %q", keys)
					}
				}
			})
		}
	}
}

// streamsInOrder sends a stream of 200 requests and checks the order of the responses.
func (c *caller) streamsInOrder(t testing.TB, name, suffix, run string, request func(img, execution string) string) {
	t.Helper()
	var requests []string
	for i := range 200 {
		requests = append(requests, request("in.jpg", fmt.Sprintf("many-%d", i)))
	}
	began := time.Now()
	responses := c.stream(t, name, requests)
	t.Logf("a stream of 200: %v", time.Since(began).Round(time.Millisecond))
	if len(responses) != len(requests) {
		t.Fatalf("%d responses", len(responses))
	}
	for i, r := range responses {
		if key := field(r, "result", "output_image", "object_key").String(); key != fmt.Sprintf("%s/many-%d_%s.jpg", run, i, suffix) {
			t.Errorf("item %d is %q", i, key)
		}
	}
}

// stops lets a call exceed its deadline and cancels a stream after a third of the time that one image takes. The processor
// drops the images that it has not begun, and writes none.
func (c *caller) stops(t testing.TB, name, run string, request func(img, execution string) string) {
	t.Helper()
	early := c.timed(t, name, request("big.png", "whole")) / 3
	endsInTime(t, name, early, func(ctx context.Context) error {
		path, m := c.method(name)
		return c.conn.Invoke(ctx, path, message(t, m.Input(), request("big.png", "late")), dynamicpb.NewMessage(m.Output()))
	})
	awaitOutcome(t, run+"/late", "cancelled")
	const images = 12
	var requests []string
	for i := range images {
		requests = append(requests, request("big.png", fmt.Sprintf("given-up-%d", i)))
	}
	c.giveUp(t, name+"Stream", early, request("in.jpg", "before"), requests)
	whole := awaitOutcome(t, run+"/whole", "done")
	time.Sleep(time.Duration(whole[0].ApplyMS*images/2) * time.Millisecond) // half of what two cores need for all
	begun, spent := 0, 0.0
	for _, j := range awaitOutcome(t, run+"/given-up", "cancelled") {
		if j.ApplyMS > 0 {
			begun++
			spent += j.ApplyMS
		}
	}
	t.Logf("of %d images given up %d were begun, at which it worked %.0f ms; one takes %.0f ms", images, begun,
		spent, whole[0].ApplyMS)
	if begun > images/2 {
		t.Errorf("%d of %d images were worked on for nobody", begun, images)
	}
}

// timed makes a call and returns how long it took.
func (c *caller) timed(t testing.TB, name, request string) time.Duration {
	t.Helper()
	began := time.Now()
	if _, err := c.unary(t, name, request); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

// placed puts an image, and an image whose processing takes long, under a prefix of this run.
func placed(t testing.TB, s *system) (prefix string) {
	t.Helper()
	prefix = fmt.Sprintf("grpc/%d", time.Now().UnixNano())
	s.place(t, prefix+"/in.jpg", jpegOf(t, 400, 300))
	s.place(t, prefix+"/big.png", bigPNG(t))
	return prefix
}

// endsInTime checks that a call ends soon after its deadline, with DeadlineExceeded.
func endsInTime(t testing.TB, what string, allowed time.Duration, call func(context.Context) error) {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithDeadline(context.Background(), began.Add(allowed))
	defer cancel()
	if err := call(ctx); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("%s: %v, want DEADLINE_EXCEEDED", what, err)
	}
	t.Logf("%s: %v after a deadline of %v", what, time.Since(began).Round(time.Millisecond), allowed)
}

// giveUp cancels a stream some time after its first response, while other requests are in progress.
func (c *caller) giveUp(t testing.TB, name string, after time.Duration, first string, others []string) {
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
	for _, r := range others {
		if err := stream.SendMsg(message(t, m.Input(), r)); err != nil {
			t.Fatal(err)
		}
	}
	time.AfterFunc(after, cancel)
	if err := stream.RecvMsg(answer); status.Code(err) != codes.Canceled {
		t.Errorf("%v, want CANCELLED", err)
	}
}

// TestOnClusterStreamsSpread opens a connection and a stream for each of eight
// callers while resize has two pods and Knative's activator in the path, as with
// components/activator: Traefik alone would send all to one pod.
func TestOnClusterStreamsSpread(t *testing.T) {
	needsCluster(t)
	s := connect(t)
	run := placed(t, s)
	const annotation = `{"op":"replace","path":"/spec/template/metadata/annotations/autoscaling.knative.dev~1`
	revise(t, serviceOf["resize"], `[`+annotation+`min-scale","value":"2"},`+annotation+`target-burst-capacity","value":"-1"}]`)
	selector := "serving.knative.dev/revision=" + latest(t, serviceOf["resize"])
	eventually(t, "two pods", func() bool {
		return strings.Count(
			kubectl(t, "get", "pods", "-n", namespace, "-l", selector, "-o",
				`jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}`),
			"True",
		) == 2
	})
	var counts map[string]int
	eventually(t, "the activator to know of both", func() bool {
		round := fmt.Sprintf("%s/%d", run, time.Now().UnixMilli())
		s.eightStreams(t, run, round)
		counts = map[string]int{}
		eventually(t, "the pods to log all jobs", func() bool {
			clear(counts)
			all := jobs(t, selector, round+"/")
			for _, j := range all {
				counts[j.pod]++
			}
			return len(all) == 80
		})
		return len(counts) == 2
	})
	t.Logf("jobs by pod: %v", counts)
}

// eightStreams sends ten requests each for the image of a run in eight streams
// at once, each on a connection of its own.
func (s *system) eightStreams(t testing.TB, run, round string) {
	t.Helper()
	var all sync.WaitGroup
	file := contract(t)
	for i := range 8 {
		call := s.caller(t, file, "resize", "ResizeService")
		all.Go(func() {
			var requests []string
			for j := range 10 {
				requests = append(
					requests,
					fmt.Sprintf(`{"input_image":{"bucket":%q,"object_key":"%s/in.jpg"},"execution_id":"%s/%d-%d","target_width":100}`,
						bucket, run, round, i, j),
				)
			}
			if got := len(call.stream(t, "ResizeImageStream", requests)); got != len(requests) {
				t.Errorf("%d responses", got)
			}
		})
	}
	all.Wait()
}
