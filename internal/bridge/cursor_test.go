package bridge_test

import (
	"errors"
	"strings"
	"testing"

	"imageflow.dev/internal/bridge"
)

// TestBackfill_resumesNothing: a resume begins no run, unless it may.
func TestBackfill_resumesNothing(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		w.put("a.jpg", "x", nil)
		w.completeChains()
		counts, _, err := w.backfill(t.Context(), func(b *bridge.Backfill) { b.Resume = true })
		if !errors.Is(err, bridge.ErrNothingToResume) || counts.Sent != 0 || len(w.broker.all()) != 0 {
			t.Errorf("%+v, %v, %d events", counts, err, len(w.broker.all()))
		}
		counts, _, err = w.backfill(t.Context(), func(b *bridge.Backfill) { b.Resume, b.Begin = true, true })
		if err != nil || counts.Completed != 1 {
			t.Errorf("with Begin: %+v, %v", counts, err)
		}
	})
}

// TestBackfill_unreadableCursor: a cursor that a run cannot read is reported, and forgotten on request.
func TestBackfill_unreadableCursor(t *testing.T) {
	for _, text := range []string{"{", strings.Repeat(" ", 1<<17)} {
		worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
			if _, err := w.store.Put(t.Context(), dead, "_backfill/images.cursor", "application/json", []byte(text), nil); err != nil {
				t.Fatal(err)
			}
			for _, resume := range []bool{false, true} {
				_, _, err := w.backfill(t.Context(), func(b *bridge.Backfill) { b.Resume = resume })
				if !errors.Is(err, bridge.ErrUnreadableCursor) {
					t.Errorf("%d bytes: %v", len(text), err)
				}
			}
			if _, _, err := w.backfill(t.Context(), func(b *bridge.Backfill) { b.Restart = true }); err != nil {
				t.Errorf("%d bytes, restart: %v", len(text), err)
			}
		})
	}
}
