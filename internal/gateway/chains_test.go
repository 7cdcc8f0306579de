package gateway_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/triggers"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// chainsOf starts a gateway and returns a function that calls GET /v1/chains.
func chainsOf(t *testing.T, c *gateway.Chains) func() (int, *imageflowv1.ListChainsResponse, string) {
	t.Helper()
	x := &gateway.Executions{Missing: "no store", Chains: c}
	h, err := gateway.New(t.Context(), time.Minute, maxBody, x.Backend())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return func() (int, *imageflowv1.ListChainsResponse, string) {
		t.Helper()
		resp, err := http.Get(server.URL + "/v1/chains")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		r := &imageflowv1.ListChainsResponse{}
		if resp.StatusCode == http.StatusOK {
			err = errors.Join(err, protojson.Unmarshal(body, r))
		}
		if err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		return resp.StatusCode, r, string(body)
	}
}

// copyManifest replaces the only manifest of a folder by one of eventing.
func copyManifest(t *testing.T, folder, name string) {
	t.Helper()
	text, err := os.ReadFile("../../eventing/" + name)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "a.yaml"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestListChains_followsTheFiles: a change of the files is in the next response, and a broken file is an error until
// it is repaired.
func TestListChains_followsTheFiles(t *testing.T) {
	dir := t.TempDir()
	list := chainsOf(t, &gateway.Chains{Read: func() ([]triggers.File, error) { return triggers.ReadFiles([]string{dir}) }})
	if status, _, body := list(); status != http.StatusBadRequest || !strings.Contains(body, "TRIGGERS_PATH") ||
		!strings.Contains(body, dir) {
		t.Errorf("without files: %d %s", status, body)
	}
	copyManifest(t, dir, "examples/renditions.yaml")
	_, r, _ := list()
	nodes := r.GetChains()[0].GetNodes()
	if last := nodes[len(nodes)-1]; len(r.GetChains()) != 1 || len(r.GetProblems()) != 0 || len(nodes) != 6 ||
		last.GetKind() != imageflowv1.ChainNodeKind_CHAIN_NODE_KIND_COMPLETION || len(last.GetWaitsFor()) != 5 ||
		nodes[0].GetUri() != "/?variant=small&target_width=160&target_height=160&fit=FIT_CONTAIN&output_image.content_type=image/webp" {
		t.Errorf("renditions: %v", r)
	}
	const about = "Makes a WebP of at most 160x160 pixels from each upload under renditions/, for lists."
	if got := nodes[0].GetDescription(); got != about {
		t.Errorf("description %q", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("kind: Trigger\nspec: {filters: 1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, body := list(); status != http.StatusBadRequest || !strings.Contains(body, "a.yaml: document 1") {
		t.Errorf("a broken file: %d %s", status, body)
	}
	copyManifest(t, dir, "chain.yaml")
	if status, r, _ := list(); status != http.StatusOK || len(r.GetChains()) != 1 || r.GetChains()[0].GetName() != "chain" {
		t.Errorf("repaired: %d %v", status, r)
	}
}

// TestListChains_problems: the steps of pipelines have their parameters, and problems their Triggers.
func TestListChains_problems(t *testing.T) {
	set, err := presets.Load("../../config/components/presets/presets.yaml")
	if err != nil {
		t.Fatal(err)
	}
	list := chainsOf(t, &gateway.Chains{
		Read: func() ([]triggers.File, error) {
			return triggers.ReadFiles([]string{"../../eventing/examples/presets"})
		}, Presets: set,
		CheckStep: func(service, query string) error {
			if service == "resize-grpc-service" && strings.Contains(query, "target_width=320") {
				return errors.New("target_width: refused")
			}
			return nil
		},
	})
	_, r, _ := list()
	pipeline := r.GetChains()[0].GetNodes()[0]
	if pipeline.GetPipeline() != "avatar" || pipeline.GetStep().GetResize().GetTargetWidth() != 256 {
		t.Errorf("presets: %v", r)
	}
	kinds := map[string]imageflowv1.ChainProblemKind{}
	for _, p := range r.GetProblems() {
		kinds[p.GetTriggers()[0]] = p.GetKind()
	}
	// Without chain.yaml, nothing completes avatars/.
	if kinds["avatars-1-pipeline"] != imageflowv1.ChainProblemKind_CHAIN_PROBLEM_KIND_UNAWAITED_LEAF ||
		kinds["cards-1-resize"] != imageflowv1.ChainProblemKind_CHAIN_PROBLEM_KIND_PARAMETERS {
		t.Errorf("problems: %v", r.GetProblems())
	}
}

func TestListChains_notConfigured(t *testing.T) {
	if status, _, body := chainsOf(t, nil)(); status != http.StatusNotImplemented || !strings.Contains(body, "TRIGGERS_PATH") {
		t.Errorf("got %d %s", status, body)
	}
}
