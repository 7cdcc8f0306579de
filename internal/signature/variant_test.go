package signature_test

import (
	"errors"
	"testing"

	"imageflow.dev/internal/signature"
)

// TestVerify_changedVariant: the variant decides the names of later outputs, so it cannot be added,
// changed or dropped.
func TestVerify_changedVariant(t *testing.T) {
	s := signer(t, first)
	for _, signed := range []any{"small", nil, ""} {
		for _, received := range []any{"small", nil, "", "large", 1} {
			e := newEvent(t)
			e.SetExtension("variant", signed)
			s.Sign(&e)
			e.SetExtension("variant", received)
			err := s.Verify(e)
			if signed == received && err != nil || signed != received && !errors.Is(err, signature.ErrInvalid) {
				t.Errorf("signed with the variant %v, received with %v: %v", signed, received, err)
			}
		}
	}
}

// TestVerify_swappedExtensions: a variant is not taken for a backfill, or the reverse.
func TestVerify_swappedExtensions(t *testing.T) {
	s := signer(t, first)
	e := newEvent(t)
	e.SetExtension("variant", "all")
	s.Sign(&e)
	e.SetExtension("variant", nil)
	e.SetExtension("backfill", "all")
	if err := s.Verify(e); !errors.Is(err, signature.ErrInvalid) {
		t.Errorf("a variant became a backfill: %v", err)
	}
}
