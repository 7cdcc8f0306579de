package signature_test

import (
	"errors"
	"testing"

	"imageflow.dev/internal/signature"
)

// TestVerify_backfill: nobody can take an event out of a backfill, or put one into it.
func TestVerify_backfill(t *testing.T) {
	s := signer(t, first)
	e := newEvent(t)
	e.SetExtension("backfill", "all")
	s.Sign(&e)
	if err := s.Verify(e); err != nil {
		t.Error(err)
	}
	live := signed(t, s)
	live.SetExtension("backfill", "all")
	for name, value := range map[string]any{"removed": nil, "empty": "", "changed": "other"} {
		changed := e.Clone()
		changed.SetExtension("backfill", value)
		if err := s.Verify(changed); !errors.Is(err, signature.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Verify(live); !errors.Is(err, signature.ErrInvalid) {
		t.Errorf("added: %v", err)
	}
}
