package cgroup_test

import (
	"errors"
	"testing"

	"imageflow.dev/internal/testing/cgroup"
)

// TestLimit: a command within the limit succeeds; a command beyond it is killed and counted.
func TestLimit(t *testing.T) {
	for name, test := range map[string]struct {
		bytes string
		kills int
	}{"within": {"8M", 0}, "beyond": {"128M", 1}} {
		t.Run(name, func(t *testing.T) {
			g, err := cgroup.New(64 << 20)
			if errors.Is(err, cgroup.ErrUnavailable) {
				t.Skip("left out: ", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			// tail holds the start of a line whose end has not arrived.
			err = g.Command("sh", "-c", "head -c "+test.bytes+" /dev/zero | tail >/dev/null").Run()
			if kills, countErr := g.Kills(); kills != test.kills || countErr != nil {
				t.Errorf("%d kills, want %d; %v, %v", kills, test.kills, err, countErr)
			}
			if peak, err := g.Peak(); err != nil || peak < 8<<20 || peak > 64<<20 {
				t.Errorf("peak %d, %v", peak, err)
			}
			if err := g.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
