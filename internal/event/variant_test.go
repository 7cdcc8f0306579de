package event_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"

	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/event"
	"imageflow.dev/internal/httpevent"
)

// TestVariant_isInherited: a step inherits the variant of its event unless its Trigger has one.
func TestVariant_isInherited(t *testing.T) {
	for _, structured := range []bool{false, true} {
		var got *request
		url := serve(t, echo(&got))
		variant := func(e *cloudevent.Event) any { return e.Extensions()["variant"] }
		first := next(t, post(t, url+"/?target_width=7&variant=small", created("cat.jpg"), structured))
		if got.GetVariant() != "small" || variant(first) != "small" {
			t.Errorf("the first step has the variant %q, its event %v", got.GetVariant(), variant(first))
		}
		second := next(t, post(t, url+"/?target_width=3", *first, structured))
		if got.GetVariant() != "small" || variant(second) != "small" {
			t.Errorf("the second step has the variant %q, its event %v", got.GetVariant(), variant(second))
		}
		third := next(t, post(t, url+"/?target_width=3&variant=tiny", *second, structured))
		if got.GetVariant() != "tiny" || variant(third) != "tiny" {
			t.Errorf("the third step has the variant %q, its event %v", got.GetVariant(), variant(third))
		}
		none := next(t, post(t, url+"/?target_width=3", created("cat.jpg"), structured))
		if got.GetVariant() != "" || variant(none) != nil {
			t.Errorf("without variants: %q, %v", got.GetVariant(), variant(none))
		}
	}
}

// TestVariant_cannotBeChanged: a broker that changes, drops or adds the variant is detected.
func TestVariant_cannotBeChanged(t *testing.T) {
	signer := newSigner(t, strings.Repeat("a", 32))
	var got *request
	s := httptest.NewServer(&event.Handler{Processor: resize.Processor, Signer: signer, Run: echo(&got)})
	t.Cleanup(s.Close)
	for _, query := range []string{"/?target_width=7&variant=small", "/?target_width=7"} {
		first := next(t, post(t, s.URL+query, signedUpload(t, signer), false))
		intact := first.Clone()
		if resp := post(t, s.URL+"/?target_width=3", intact, false); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: the unchanged event is answered with %s", query, resp.Status)
		}
		for _, changed := range []any{"large", "", "small2", nil} {
			e := first.Clone()
			if changed == e.Extensions()["variant"] {
				continue // not changed
			}
			e.SetExtension("variant", changed)
			req, err := httpevent.NewRequest(t.Context(), s.URL+"/?target_width=3", e)
			if err == nil && changed == "" {
				req.Header["Ce-Variant"] = []string{""}
			}
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s: the variant %v is answered with %s", query, changed, resp.Status)
			}
		}
	}
}
