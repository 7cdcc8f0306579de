package scenario

import (
	"slices"
	"testing"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// TestListChains: the gateway describes the chains of the Triggers with which local mode started, without a problem.
func TestListChains(t *testing.T) {
	s := local(t, setup{flags: []string{
		"--presets", "config/components/presets/presets.yaml", "--eventing", "eventing,eventing/examples,eventing/examples/presets",
	}})
	client := imageflowv1.NewExecutionServiceClient(dial(t, s.addresses["gateway"]))
	r, err := client.ListChains(t.Context(), &imageflowv1.ListChainsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range r.GetChains() {
		names = append(names, c.GetName())
	}
	for _, name := range []string{"chain", "focus", "redact", "renditions", "thumbnails", "cards", "avatars"} {
		if !slices.Contains(names, name) {
			t.Errorf("no chain %s in %s", name, names)
		}
	}
	if len(r.GetProblems()) > 0 {
		t.Errorf("problems %v", r.GetProblems())
	}
}
