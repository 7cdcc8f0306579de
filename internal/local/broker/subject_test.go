package broker_test

import (
	"strings"
	"testing"

	"imageflow.dev/internal/local/broker"
)

// TestTypes_allAreDelivered: events reach the Triggers whose filters select them, whatever the
// characters and length of their type.
func TestTypes_allAreDelivered(t *testing.T) {
	for _, kind := range []string{
		"a", "a.b.c", ".", "a..b", "a.", ".a", "a*b", "*", ">", "a.>", "a b", "日本.語", "a.%20", strings.Repeat("x", 3000),
		strings.Repeat("y.", 1000) + "y",
	} {
		exact, prefix, all := subscribe(t, nil), subscribe(t, nil), subscribe(t, nil)
		b := start(t, broker.Config{}, manifest("{retry: 0}", map[string]string{
			"exact":  "filter: {attributes: {type: '" + kind + "'}}, subscriber: {uri: '" + exact.URL + "/'}",
			"prefix": "filters: [{all: [{prefix: {type: '" + kind + "'}}]}], subscriber: {uri: '" + prefix.URL + "/'}",
			"all":    "subscriber: {uri: '" + all.URL + "/'}",
		}))
		for _, sent := range []string{kind, kind + "z", kind + ".z"} {
			publish(t, b, sent, "{}")
			all.next(t)
			prefix.next(t)
		}
		exact.next(t)
		waitIdle(t, b)
		exact.none(t, 0)
		b.Close()
	}
}

// TestUntypedSubject: events that an older broker has stored are delivered.
func TestUntypedSubject(t *testing.T) {
	s := subscribe(t, nil)
	b := start(t, broker.Config{}, manifest("{retry: 0}", map[string]string{"t": on("a", s)}))
	for _, kind := range []string{"a", "b"} {
		if err := b.PublishUntyped(t.Context(), "test", headerOf(kind)); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.next(t).attribute("Type"); got != "a" {
		t.Errorf("got type %q", got)
	}
	waitIdle(t, b)
	s.none(t, 0)
}

// TestChangedFilter: after a restart, only events that the new filter selects still wait for
// the Trigger, and the others leave the store.
func TestChangedFilter(t *testing.T) {
	unavailable, s := subscribe(t, answer(503, "")), subscribe(t, nil)
	dir := t.TempDir()
	waits := "{retry: 9, backoffPolicy: linear, backoffDelay: PT1S}"
	b := start(t, broker.Config{Dir: dir}, manifest(waits, map[string]string{
		"t": "filters: [{prefix: {type: a.}}], subscriber: {uri: '" + unavailable.URL + "/'}",
	}))
	for _, kind := range []string{"a.b", "a.c"} {
		publish(t, b, kind, "{}")
		unavailable.next(t)
	}
	b.Close()
	b = start(t, broker.Config{Dir: dir}, manifest(waits, map[string]string{"t": on("a.c", s)}))
	if got := s.next(t).attribute("Type"); got != "a.c" {
		t.Errorf("got type %q", got)
	}
	waitIdle(t, b)
	if n, err := b.Stored(t.Context()); n != 0 || err != nil {
		t.Errorf("%d events are stored, %v", n, err)
	}
}
