package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestSign: only URLs that are served are printed.
func TestSign(t *testing.T) {
	t.Setenv("IMAGE_SIGNING_KEYS", strings.Repeat("k", 32))
	for args, wrong := range map[string]string{
		"uploads/cat.jpg preset=card":           "",
		"uploads//cat.jpg":                      "empty part",
		"uploads/../cat.jpg":                    "empty part",
		"/cat.jpg":                              "empty part",
		strings.Repeat("k", 256):                "255 between two slashes",
		"--in -1h cat.jpg":                      "--in is -1h0m0s",
		"uploads/cat.jpg expires=1 preset=card": "NAME=VALUE",

		"--base https://images.example/x uploads/cat.jpg": "",
		"--base images.example uploads/cat.jpg":           "--base is",
		"--base https://images.example?x uploads/cat.jpg": "--base is",
		"--base ftp://images.example uploads/cat.jpg":     "--base is",
	} {
		var out bytes.Buffer
		err := signURL(t.Context(), strings.Fields(args), &out)
		if (err == nil) != (wrong == "") || err != nil && !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: got %v, want an error with %q", args, err, wrong)
		}
		if (err == nil) != strings.Contains(out.String(), "/v1/images/uploads/cat.jpg?") {
			t.Errorf("%s: printed %q", args, out.String())
		}
	}
}
