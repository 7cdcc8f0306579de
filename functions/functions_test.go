package functions_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

func TestKindNames(t *testing.T) {
	for kind, want := range map[functions.Kind]string{
		functions.Internal: "internal", functions.Invalid: "invalid", functions.NotFound: "not found",
		functions.Busy: "busy", functions.Unavailable: "unavailable",
	} {
		if got := kind.String(); got != want {
			t.Errorf("kind %d is %q, want %q", kind, got, want)
		}
	}
}

func TestErrorText(t *testing.T) {
	for _, c := range []struct {
		err  *functions.Error
		want string
	}{
		{functions.Errorf(functions.Busy, "", "the queue of %d is full", 3), "the queue of 3 is full"},
		{functions.Errorf(functions.Invalid, "intensity", "%g is too much", 7.5), "intensity: 7.5 is too much"},
		{&functions.Error{Field: "f", Message: "m", Cause: io.EOF}, "f: m: EOF"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestAsErrorFindsOurs(t *testing.T) {
	inner := functions.Errorf(functions.NotFound, "model_name", "no model")
	for name, err := range map[string]error{
		"itself":  inner,
		"wrapped": fmt.Errorf("while detecting: %w", inner),
		"joined":  errors.Join(io.EOF, inner),
	} {
		if got := functions.AsError(err); got != inner {
			t.Errorf("%s: got %v, want %v", name, got, inner)
		}
	}
}

// TestAsErrorGivesNothingAway wants other errors kept from callers and in the
// chain for the log.
func TestAsErrorGivesNothingAway(t *testing.T) {
	secret := fmt.Errorf("password is hunter2: %w", io.EOF)
	got := functions.AsError(secret)
	if got.Kind != functions.Internal || got.Field != "" || got.Message != "internal error" {
		t.Errorf("got %+v, want an internal error", got)
	}
	if !errors.Is(got, secret) || !errors.Is(got, io.EOF) {
		t.Error("the cause is lost")
	}
}

// TestNewRequestAndResponse covers the messages of every processor.
func TestNewRequestAndResponse(t *testing.T) {
	check(t, functions.New(functions.Definition[*imageflowv1.ResizeRequest, *imageflowv1.ResizeResponse]{}))
	check(t, functions.New(functions.Definition[*imageflowv1.DetectionRequest, *imageflowv1.DetectionResponse]{}))
	check(t, functions.New(functions.Definition[*imageflowv1.FilterRequest, *imageflowv1.FilterResponse]{}))
}

func check(t *testing.T, p functions.Processor) {
	t.Helper()
	a, b := p.NewRequest(), p.NewRequest()
	if !a.ProtoReflect().IsValid() || proto.Size(a) != 0 {
		t.Errorf("%T: %v, want an empty message", a, a)
	}
	// A shared message would let one call see another's fields.
	if err := proto.Unmarshal([]byte{0x0a, 0x00}, a); err != nil {
		t.Fatal(err)
	}
	if a.GetInputImage() == nil || b.GetInputImage() != nil {
		t.Errorf("%T: two new requests are one", a)
	}

	result := &imageflowv1.ProcessingResult{Message: "failed"}
	resp := p.NewResponse(result)
	if resp.GetResult() != result {
		t.Errorf("%T: result %v, want %v", resp, resp.GetResult(), result)
	}
	fields := resp.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); f.Name() != "result" && resp.ProtoReflect().Has(f) {
			t.Errorf("%T: has facts: %s", resp, f.Name())
		}
	}
}

// TestOnce: a Memo keeps the first result, also an error.
func TestOnce(t *testing.T) {
	for _, failed := range []error{nil, errors.New("failed")} {
		calls := 0
		work := func() (int, error) {
			calls++
			return calls, failed
		}
		for _, in := range []functions.Input{{Memo: &functions.Memo{}}, {}} {
			_, _ = functions.Once(in, work)
			if v, err := functions.Once(in, work); v != calls || !errors.Is(err, failed) {
				t.Errorf("got %d, %v after %d calls", v, err, calls)
			}
		}
		if calls != 3 {
			t.Errorf("%d calls, want 1 with a memo and 2 without", calls)
		}
	}
}
