package role

import "testing"

func TestAudience_namesTheKnativeService(t *testing.T) {
	t.Setenv("K_SERVICE", "filter-grpc-service")
	for given, want := range map[string]string{
		"image-processing/$(K_SERVICE)": "image-processing/filter-grpc-service",
		"image-processing/bridge":       "image-processing/bridge",
	} {
		if got := (OIDC{Audience: given}).audience(); got != want {
			t.Errorf("%s: got %s, want %s", given, got, want)
		}
	}
}
