package scenario

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// runLoops makes calls in parallel loops, each with an execution id of its own.
func runLoops(t *testing.T, callers, calls int, prefix string, call func(id string) error) {
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for n := range calls {
				if err := call(fmt.Sprintf("%s/%d/%d/%d", prefix, callers, caller, n)); err != nil {
					t.Errorf("caller %d, call %d: %v", caller, n, err)
				}
			}
		})
	}
	all.Wait()
}

// TestClosedLoopsFinish: all calls of callers that wait for an answer before the next call are
// completed without a retry, since the queue is only as long as there are callers.
func TestClosedLoopsFinish(t *testing.T) {
	s := local(t, setup{})
	s.place(t, "in.jpg", jpegOf(t, 640, 480))
	const input = `"input_image":{"bucket":"imageflow-files","object_key":"in.jpg"}`
	resize := s.caller(t, contract(t), "resize", "ResizeService")
	json := func(part, path, body string) func(id string) error {
		return func(id string) error {
			resp, text := post(t, http.DefaultClient, s.url(part, path), fmt.Sprintf(`{%s,"execution_id":%q,%s}`, input, id, body), nil)
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("%s %s", resp.Status, text)
			}
			return nil
		}
	}
	for name, loop := range map[string]struct {
		calls int
		call  func(id string) error
	}{
		"JSON at the gateway":   {10, json("gateway", "/v1/resize", `"target_width":320`)},
		"JSON at the processor": {10, json("resize", "/v1/resize", `"target_width":320`)},
		"pipelines": {3, json("gateway", "/v1/pipeline",
			`"steps":[{"resize":{"target_width":320}},{"detect":{}},{"filter":{"filter_type":"FILTER_TYPE_BLUR","intensity":1}}]`)},
		"gRPC": {10, func(id string) error {
			_, err := resize.unary(t, "ResizeImage", fmt.Sprintf(`{%s,"execution_id":%q,"target_width":320}`, input, id))
			return err
		}},
	} {
		for _, callers := range []int{20, 64} {
			t.Run(fmt.Sprintf("%s, %d callers", name, callers), func(t *testing.T) {
				runLoops(t, callers, loop.calls, strings.ReplaceAll(name, " ", "-"), loop.call)
			})
		}
	}
}
