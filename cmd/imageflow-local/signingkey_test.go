package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSigningKeys_stableOverRestarts: the key stays the same, since the queue in the same folder
// keeps signed events.
func TestSigningKeys_stableOverRestarts(t *testing.T) {
	data := filepath.Join(t.TempDir(), "new", "data")
	first, err := signingKeys(data)
	if err != nil || len(first) != 1 || len(first[0]) < 32 {
		t.Fatalf("%d keys, %v", len(first), err)
	}
	again, err := signingKeys(data)
	if err != nil || !slices.Equal(again, first) {
		t.Errorf("another key at the second start, %v", err)
	}
	files, err := os.ReadDir(data)
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	info, err := files[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestUnsignedEvents_needLoopback(t *testing.T) {
	for host, allowed := range map[string]bool{
		"127.0.0.1": true, "localhost": true, "::1": true, "0.0.0.0": false, "": false, "10.0.0.1": false,
	} {
		s := &settings{host: host}
		s.signing.AllowUnsigned = true
		if err := s.checkUnsigned(); (err == nil) != allowed {
			t.Errorf("%q: %v", host, err)
		}
	}
	_, err := parse([]string{"--host", "0.0.0.0", "--allow-unsigned-events"}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("on every address: %v", err)
	}
}
