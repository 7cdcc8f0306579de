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
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/dynamicpb"
)

// TestOnClusterGRPC calls resize by its cluster-local name, through ingress and
// queue-proxy: a long stream, a deadline, a cancelled stream.
func TestOnClusterGRPC(t *testing.T) {
	if !*onCluster {
		t.Skip("needs a cluster: make e2e")
	}
	s := connect(t)
	s.place(t, "grpc/in.jpg", jpegOf(t, 400, 300))
	s.place(t, "grpc/big.png", pngOf(t, 4000, 4000))
	call := s.caller(t, contract(t), "resize", "ResizeService")
	request := func(key string, i int) string {
		return fmt.Sprintf(`{"input_image":{"bucket":%q,"object_key":%q},"execution_id":"grpc/out-%d","target_width":%d,"quality":"RESIZE_QUALITY_BEST"}`, bucket, key, i, 100+i)
	}
	t.Run("stream of 200", func(t *testing.T) {
		var requests []string
		for i := range 200 {
			requests = append(requests, request("grpc/in.jpg", i))
		}
		for i, r := range call.stream(t, "ResizeImageStream", requests) {
			if key := field(r, "result", "output_image", "object_key").String(); key != fmt.Sprintf("grpc/out-%d_resize.jpg", i) {
				t.Fatalf("answer %d is %q", i, key)
			}
		}
	})
	t.Run("deadline", func(t *testing.T) {
		path, m := call.method("ResizeImage")
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := call.conn.Invoke(ctx, path, message(t, m.Input(), request("grpc/big.png", 3000)), dynamicpb.NewMessage(m.Output()))
		if status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
	})
	t.Run("cancel", func(t *testing.T) {
		path, m := call.method("ResizeImageStream")
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := call.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, path)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.SendMsg(message(t, m.Input(), request("grpc/in.jpg", 1))); err != nil {
			t.Fatal(err)
		}
		if err := stream.RecvMsg(dynamicpb.NewMessage(m.Output())); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := stream.RecvMsg(dynamicpb.NewMessage(m.Output())); status.Code(err) != codes.Canceled {
			t.Errorf("got %v", err)
		}
		if _, err := call.unary(t, "Health", `{}`); err != nil {
			t.Errorf("after it: %v", err)
		}
	})
}

// TestOnClusterStreamsSpread opens streams on connections of their own while
// resize has two pods; both work.
func TestOnClusterStreamsSpread(t *testing.T) {
	if !*onCluster {
		t.Skip("needs a cluster: make e2e")
	}
	s := connect(t)
	s.place(t, "grpc/in.jpg", jpegOf(t, 400, 300))
	scale := func(n string) {
		kubectl(t, "patch", "ksvc", "--namespace", namespace, "resize-grpc-service", "--type", "merge", "--patch",
			`{"spec":{"template":{"metadata":{"annotations":{"autoscaling.knative.dev/min-scale":"`+n+`"}}}}}`)
		kubectl(t, "wait", "ksvc", "--namespace", namespace, "resize-grpc-service", "--for=condition=Ready", "--timeout=120s")
	}
	scale("2")
	defer scale("1")
	selector := "serving.knative.dev/revision=" + strings.TrimSpace(kubectl(t, "get", "ksvc", "--namespace", namespace,
		"resize-grpc-service", "--output", "jsonpath={.status.latestReadyRevisionName}"))
	kubectl(t, "wait", "pods", "--namespace", namespace, "--selector", selector, "--for=condition=Ready", "--timeout=60s")

	var all sync.WaitGroup
	for c := range 8 {
		call := s.caller(t, contract(t), "resize", "ResizeService")
		all.Go(func() {
			var requests []string
			for i := range 10 {
				requests = append(requests, fmt.Sprintf(
					`{"input_image":{"bucket":%q,"object_key":"grpc/in.jpg"},"execution_id":"grpc/spread-%d-%d","target_width":%d}`, bucket, c, i, 50+10*c+i))
			}
			if got := len(call.stream(t, "ResizeImageStream", requests)); got != 10 {
				t.Errorf("stream %d: %d answers", c, got)
			}
		})
	}
	all.Wait()
	pods := strings.Fields(kubectl(t, "get", "pods", "--namespace", namespace, "--selector", selector, "--output", "jsonpath={.items[*].metadata.name}"))
	for _, pod := range pods {
		jobs := strings.Count(kubectl(t, "logs", "--namespace", namespace, pod, "--container", "resize"), `"execution":"grpc/spread-`)
		t.Logf("%s did %d of 80", pod, jobs)
		if jobs == 0 {
			t.Errorf("%s did nothing", pod)
		}
	}
	if len(pods) != 2 {
		t.Errorf("pods: %q", pods)
	}
}

// TestOnClusterRestricted reads from the running pods what they may do.
func TestOnClusterRestricted(t *testing.T) {
	if !*onCluster {
		t.Skip("needs a cluster: make e2e")
	}
	if got := kubectl(t, "get", "namespace", namespace, "--output", `jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce}`); got != "restricted" {
		t.Errorf("the namespace enforces %q", got)
	}
	var pods struct {
		Items []struct {
			Metadata struct{ Name string }
			Spec     struct {
				Containers []struct {
					Name            string
					SecurityContext struct {
						RunAsNonRoot, ReadOnlyRootFilesystem, AllowPrivilegeEscalation *bool
						Capabilities                                                   struct{ Drop []string }
					}
				}
			}
		}
	}
	text := kubectl(t, "get", "pods", "--namespace", namespace, "--selector", "serving.knative.dev/service", "--output", "json")
	if err := json.Unmarshal([]byte(text), &pods); err != nil {
		t.Fatal(err)
	}
	if len(pods.Items) < 5 {
		t.Errorf("%d pods", len(pods.Items))
	}
	yes := func(b *bool) bool { return b != nil && *b }
	for _, pod := range pods.Items {
		for _, c := range pod.Spec.Containers {
			x := c.SecurityContext
			if !yes(x.RunAsNonRoot) || !yes(x.ReadOnlyRootFilesystem) || x.AllowPrivilegeEscalation == nil || yes(x.AllowPrivilegeEscalation) ||
				strings.Join(x.Capabilities.Drop, " ") != "ALL" {
				t.Errorf("%s, container %s: %+v", pod.Metadata.Name, c.Name, x)
			}
		}
	}
}
