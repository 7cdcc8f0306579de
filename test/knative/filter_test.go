// Package knative_test compares local mode's broker with Knative's own code.
package knative_test

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"go.uber.org/zap"
	knative "knative.dev/eventing/pkg/apis/eventing/v1"
	"knative.dev/eventing/pkg/eventfilter"
	"knative.dev/eventing/pkg/eventfilter/attributes"
	"knative.dev/eventing/pkg/eventfilter/subscriptionsapi"

	"imageflow.dev/internal/local/broker"
)

// TestFiltersAgreeWithKnative: this broker delivers the same events as Knative's, for random
// filters and events.
func TestFiltersAgreeWithKnative(t *testing.T) {
	const filters, events = 1200, 4
	taken := 0
	for seed := range uint64(filters) {
		r := dice{rand.New(rand.NewPCG(seed, 8))}
		header := r.event()
		spec := r.filters(header)
		m, err := broker.ReadManifests(fstest.MapFS{"m.yaml": {Data: []byte(trigger(specOf(spec)))}})
		if err != nil {
			t.Fatalf("case %d: %v\nfilter: %s", seed, err, specOf(spec))
		}
		for range events {
			want := knativeMatches(t, spec, header)
			got, err := m.Matches(header)
			if got != want || err != nil {
				t.Fatalf("case %d: got %v, %v; Knative says %v\nevent: %v\nfilter: %s", seed, got, err, want, header, specOf(spec))
			}
			if want {
				taken++
			}
			header = r.event()
		}
	}
	if taken < filters*events/4 || taken > filters*events*3/4 {
		t.Errorf("%d of %d events were taken: the cases tell little", taken, filters*events)
	}
}

// TestRefusesWhatKnativeRefuses compares both brokers on attribute names of every kind. A Trigger
// that local mode accepts is accepted on a cluster.
func TestRefusesWhatKnativeRefuses(t *testing.T) {
	for _, name := range []string{"type", "a1", "1a", "Type", "a_b", "a-b", "a.b", "ä", " ", "a b"} {
		for _, spec := range []knative.TriggerSpec{
			{Filter: &knative.TriggerFilter{Attributes: map[string]string{name: "x"}}},
			{Filters: []knative.SubscriptionsAPIFilter{{Exact: map[string]string{name: "x"}}}},
			{Filters: []knative.SubscriptionsAPIFilter{{Not: &knative.SubscriptionsAPIFilter{Prefix: map[string]string{name: "x"}}}}},
			{Filters: []knative.SubscriptionsAPIFilter{{Any: []knative.SubscriptionsAPIFilter{{Suffix: map[string]string{name: "x"}}}}}},
		} {
			want := knative.ValidateAttributeFilters(spec.Filter).
				Also(knative.ValidateSubscriptionAPIFiltersList(t.Context(), spec.Filters))
			if _, err := matches(specOf(spec), headerOf("a")); (err != nil) != (want != nil) {
				t.Errorf("%s: got %v; Knative says %v", specOf(spec), err, want)
			}
		}
	}
}

// TestCESQLIsRefused: Knative supports it, but a Trigger must not behave differently in
// local mode without an error.
func TestCESQLIsRefused(t *testing.T) {
	filters := []knative.SubscriptionsAPIFilter{{CESQL: "type = 'a'"}}
	if err := knative.ValidateSubscriptionAPIFiltersList(t.Context(), filters); err != nil {
		t.Fatal(err)
	}
	_, err := matches(specOf(knative.TriggerSpec{Filters: filters}), headerOf("a"))
	if err == nil || !strings.Contains(err.Error(), "m.yaml: Trigger test/t: spec.filters[0].cesql: not supported by this broker") {
		t.Errorf("got %v", err)
	}
}

// specOf writes the filters of a spec as fields of a Trigger.
func specOf(spec knative.TriggerSpec) string {
	fields := map[string]any{"subscriber": map[string]string{"uri": "http://s/"}}
	if spec.Filter != nil {
		fields["filter"] = spec.Filter
	}
	if spec.Filters != nil {
		fields["filters"] = spec.Filters
	}
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(text[1 : len(text)-1])
}

// matches reports whether a Trigger with this spec matches an event.
func matches(spec string, header http.Header) (bool, error) {
	m, err := broker.ReadManifests(fstest.MapFS{"m.yaml": {Data: []byte(trigger(spec))}})
	if err != nil {
		return false, err
	}
	return m.Matches(header)
}

// trigger returns the manifest of a Broker and of a Trigger with this spec.
func trigger(spec string) string {
	return "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: default, namespace: test}\n---\n" +
		"apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {name: t, namespace: test}\n" +
		"spec: {broker: default, " + spec + "}\n"
}

func headerOf(kind string) http.Header {
	h := http.Header{}
	for name, value := range map[string]string{"Id": "1", "Source": "/test", "Type": kind, "Specversion": "1.0"} {
		h.Set("Ce-"+name, value)
	}
	h.Set("Content-Type", "application/json")
	return h
}

// knativeMatches reports whether Knative's broker matches the event; it follows filterEvent there.
func knativeMatches(t *testing.T, spec knative.TriggerSpec, header http.Header) bool {
	e := knativeEvent(t, header)
	filter := attributes.NewAttributesFilter(nil)
	if len(spec.Filters) > 0 {
		// Not cleaned up: Cleanup races with the filter's own goroutine.
		filter = subscriptionsapi.CreateSubscriptionsAPIFilters(zap.NewNop(), spec.Filters)
	} else if spec.Filter != nil {
		filter = attributes.NewAttributesFilter(spec.Filter.Attributes)
	}
	return filter.Filter(t.Context(), e) != eventfilter.FailFilter
}

// knativeEvent returns an event in the form in which Knative's filter receives it from the ingress:
// in binary mode.
func knativeEvent(t *testing.T, header http.Header) cloudevents.Event {
	req := &http.Request{Header: header, Body: http.NoBody}
	for range 2 {
		e, err := cehttp.NewEventFromHTTPRequest(req)
		if err != nil {
			t.Fatalf("%v: %v", header, err)
		}
		req = &http.Request{Header: http.Header{}, Body: http.NoBody}
		if err := cehttp.WriteRequest(binding.WithForceBinary(t.Context()), binding.ToMessage(e), req); err != nil {
			t.Fatalf("%v: %v", header, err)
		}
	}
	e, err := cehttp.NewEventFromHTTPRequest(req)
	if err != nil {
		t.Fatal(err)
	}
	return *e
}
