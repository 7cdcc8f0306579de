package role_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
)

// describesModel expects a trial of the demo model, 404 for a missing one, and 400 for what no version can be.
func describesModel(t *testing.T, url string) {
	t.Helper()
	var described struct {
		LayoutReason string `json:"layout_reason"`
		Trial        struct {
			Image      []byte
			Detections []struct{}
		}
	}
	resp, err := http.Get(url + "yolo?trial=true")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&described); err != nil || described.LayoutReason == "" {
		t.Errorf("%s: got status %d, %v, want the reason of the layout", url, resp.StatusCode, err)
	}
	if trial := described.Trial; !bytes.HasPrefix(trial.Image, []byte("\xff\xd8")) || len(trial.Detections) == 0 {
		t.Errorf("%s: got %d bytes with %d detections, want a JPEG with some", url, len(trial.Image), len(trial.Detections))
	}
	for path, want := range map[string]int{"none": 404, "yolo?version=9": 404, "yolo?version=0": 400, "none?version=!": 400} {
		resp, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: got status %d, want %d", path, resp.StatusCode, want)
		}
	}
}
