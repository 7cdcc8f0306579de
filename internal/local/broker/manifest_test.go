package broker_test

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"imageflow.dev/internal/local/broker"
)

// TestManifestsOfTheRepository: they are valid. The test does not check the addresses of
// the Services and the parameters of the steps.
func TestManifestsOfTheRepository(t *testing.T) {
	m := shipped(t)
	var steps []string
	for step := range m.Steps() {
		steps = append(steps, step.Service+" "+step.URI.Path)
	}
	want := []string{
		"resize-grpc-service /", "ai-detection-grpc-service /", "filter-grpc-service /", "bridge /completed",
		"ai-detection-grpc-service /", "resize-grpc-service /", "bridge /completed",
		"ai-detection-grpc-service /", "filter-grpc-service /",
		"resize-grpc-service /", "resize-grpc-service /", "resize-grpc-service /", "ai-detection-grpc-service /",
		"filter-grpc-service /", "bridge /completed",
		"resize-grpc-service /", "bridge /completed", "resize-grpc-service /", "bridge /completed",
	}
	if !slices.Equal(steps, want) {
		t.Errorf("steps %q, want %q", steps, want)
	}
}

// TestCheck_missingServices: every Service that a manifest names must exist.
func TestCheck_missingServices(t *testing.T) {
	m := shipped(t)
	var asked []string
	want := len(slices.Collect(m.Steps())) + 1 // and a sink
	if err := m.Check(func(namespace, service string) (string, bool) {
		asked = append(asked, namespace+"/"+service)
		return "http://127.0.0.1:1", true
	}); err != nil || !slices.Contains(asked, "image-processing/bridge") || len(asked) != want {
		t.Errorf("Services %q, %v", asked, err)
	}
	if err := m.Check(none); err == nil || !strings.Contains(err.Error(),
		"chain.yaml: Trigger image-processing/chain-1-resize: spec.subscriber.ref.name") {
		t.Errorf("missing Services: %v", err)
	}
}

func shipped(t *testing.T) *broker.Manifests {
	t.Helper()
	m, err := broker.ReadManifests(os.DirFS("../../../eventing"))
	if err == nil {
		err = m.AddFolder(os.DirFS("../../../eventing/examples"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestAddFolder_ignoresSubfolders.
func TestAddFolder_ignoresSubfolders(t *testing.T) {
	folder := fstest.MapFS{
		"a.yaml":          {Data: []byte(manifest("{retry: 0}", map[string]string{"t": to}))},
		"examples/b.yaml": {Data: []byte(strings.SplitAfterN(manifest("{retry: 0}", map[string]string{"more": to}), "---\n", 2)[1])},
	}
	m, err := broker.ReadManifests(folder)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(slices.Collect(m.Steps())); got != 1 {
		t.Errorf("%d steps, want 1", got)
	}
	below, _ := fs.Sub(folder, "examples")
	if err := m.AddFolder(below); err != nil || len(slices.Collect(m.Steps())) != 2 {
		t.Errorf("the subfolder: %v", err)
	}
	if err := m.AddFolder(below); err == nil || !strings.Contains(err.Error(), "also in b.yaml") {
		t.Errorf("the same folder twice: %v", err)
	}
}

const (
	ref  = "ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: s}"
	to   = "subscriber: {" + ref + "}"
	head = "apiVersion: eventing.knative.dev/v1\n"
)

func trigger(spec string) string { return manifest("{retry: 0}", map[string]string{"t": spec}) }

func delivery(d string) string { return manifest(d, nil) }

// refusals are invalid manifests and texts of their errors.
var refusals = map[string]struct{ text, names string }{
	"no YAML":                 {"a: [", "m.yaml"},
	"another group":           {"apiVersion: v1\nkind: Service\nmetadata: {name: a}", `apiVersion: "v1"`},
	"another kind":            {head + "kind: Channel\nmetadata: {name: a}", `kind: "Channel"`},
	"no name":                 {head + "kind: Broker", "metadata.name"},
	"a bad namespace":         {head + "kind: Broker\nmetadata: {name: a, namespace: A_}", "metadata.namespace"},
	"two of a name":           {delivery("{retry: 0}") + "---\n" + delivery("{retry: 0}"), "also in m.yaml"},
	"a key given twice":       {head + "kind: Broker\nkind: Broker\nmetadata: {name: a}", "kind"},
	"a field of a Broker":     {head + "kind: Broker\nmetadata: {name: a}\nspec: {config: {}}", `"config"`},
	"a field of a Trigger":    {trigger(to + ", brokerRef: {}"), `"brokerRef"`},
	"a field of a delivery":   {delivery("{retryAfterMax: PT1S}"), `"retryAfterMax"`},
	"a field of a subscriber": {trigger("subscriber: {audience: a}"), `"audience"`},
	"a missing Broker": {strings.Replace(trigger(to), "broker: default", "broker: other", 1),
		"spec.broker: there is no Broker test/other"},
	"no subscriber":           {trigger(""), "spec.subscriber"},
	"an empty subscriber":     {trigger("subscriber: {}"), "spec.subscriber.uri"},
	"a relative URI":          {trigger("subscriber: {uri: /x}"), "spec.subscriber.uri"},
	"another scheme":          {trigger("subscriber: {uri: 'ftp://x/'}"), "spec.subscriber.uri"},
	"a malformed URI":         {trigger("subscriber: {uri: 'http://x:y/%'}"), "spec.subscriber.uri"},
	"an absolute URI and ref": {trigger("subscriber: {" + ref + ", uri: 'http://x/'}"), "spec.subscriber.uri"},
	"a ref of another kind":   {trigger("subscriber: {ref: {apiVersion: v1, kind: Pod, name: s}}"), "spec.subscriber.ref.kind"},
	"a ref without a name":    {trigger("subscriber: {ref: {apiVersion: v1, kind: Service}}"), "spec.subscriber.ref.name"},
	"a negative retry":        {delivery("{retry: -1}"), "spec.delivery.retry"},
	"a retry that is none":    {delivery("{retry: many}"), "retry"},
	"a policy":                {delivery("{backoffPolicy: random, backoffDelay: PT1S}"), "spec.delivery.backoffPolicy"},
	"a policy without delay":  {delivery("{backoffPolicy: linear}"), "spec.delivery.backoffPolicy"},
	"a delay":                 {delivery("{backoffPolicy: linear, backoffDelay: 1s}"), "spec.delivery.backoffDelay"},
	"no time at all":          {delivery("{timeout: PT0S}"), "spec.delivery.timeout"},
	"a negative time":         {delivery("{timeout: -PT1S}"), "spec.delivery.timeout"},
	"a sink":                  {delivery("{deadLetterSink: {uri: x}}"), "spec.delivery.deadLetterSink.uri"},
	"a sink of a Trigger": {trigger(to + ", delivery: {deadLetterSink: {uri: x}}"),
		"Trigger test/t: spec.delivery.deadLetterSink.uri"},
	"both kinds of filters": {trigger(to + ", filter: {attributes: {type: a}}, filters: [{exact: {type: a}}]"), "spec.filter"},
	"an unknown dialect":    {trigger(to + ", filters: [{regex: {type: a}}]"), `"regex"`},
	"two dialects":          {trigger(to + ", filters: [{exact: {type: a}, prefix: {type: a}}]"), "spec.filters[0]"},
	"no dialect":            {trigger(to + ", filters: [{exact: {type: a}}, {}]"), "spec.filters[1]"},
	"an empty dialect":      {trigger(to + ", filters: [{exact: {}}]"), "spec.filters[0]"},
	"CESQL":                 {trigger(to + `, filters: [{cesql: "type = 'a'"}]`), "spec.filters[0].cesql"},
	"a nested one": {trigger(to + ", filters: [{all: [{not: {any: [{exact: {type: ''}}]}}]}]"),
		"spec.filters[0].all[0].not.any[0].exact"},
	"an attribute's name": {trigger(to + ", filters: [{exact: {Type: a}}]"), "spec.filters[0].exact"},
}

func TestWhatIsRefused(t *testing.T) {
	for name, c := range refusals {
		_, err := broker.ReadManifests(fstest.MapFS{"m.yaml": {Data: []byte(c.text)}})
		if err == nil || !strings.Contains(err.Error(), c.names) || !strings.Contains(err.Error(), "m.yaml") {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.names)
		}
	}
}

func TestEveryErrorIsReportedAtOnce(t *testing.T) {
	_, err := broker.ReadManifests(fstest.MapFS{
		"a.yaml":             {Data: []byte(manifest("{retry: -1, timeout: soon}", map[string]string{"t": "filters: [{}]"}))},
		"b.yml":              {Data: []byte("apiVersion: v1")},
		"kustomization.yaml": {Data: []byte("resources: [a.yaml]")},
		"README.md":          {Data: []byte("no manifest")},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"delivery.retry", "delivery.timeout", "spec.filters[0]", "spec.subscriber", "b.yml"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestWhatIsFilledIn(t *testing.T) {
	m, err := broker.ReadManifests(fstest.MapFS{
		"a.yaml": {Data: []byte("# a comment\n---\napiVersion: eventing.knative.dev/v1\nkind: Trigger\n" +
			"metadata: {name: t}\nspec: {subscriber: {uri: 'http://s/'}}\n--- # end\n")},
		"b.yaml": {Data: []byte("apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata:\n  name: default\n" +
			"  annotations: {eventing.knative.dev/broker.class: Kafka}\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond}
	if got := m.Backoff(3); !slices.Equal(got, want) {
		t.Errorf("waits %v, want %v", got, want)
	}
	if err := m.Add([]byte("apiVersion: eventing.knative.dev/v1\nkind: Trigger\n" +
		"metadata: {name: more}\nspec: {subscriber: {uri: 'http://s/'}}\n")); err != nil {
		t.Error(err)
	}
	if err := m.Add([]byte("apiVersion: eventing.knative.dev/v1\nkind: Trigger\n" +
		"metadata: {name: more}\n")); err == nil {
		t.Error("a second one of the name was added")
	}
}

func TestBackoff(t *testing.T) {
	for spec, want := range map[string][]time.Duration{
		"{backoffPolicy: exponential, backoffDelay: PT0.5S}": {500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second},
		"{backoffPolicy: linear, backoffDelay: PT0.5S}":      {0, 500 * time.Millisecond, time.Second, 1500 * time.Millisecond},
		"{retry: 3}": {0, 0, 0, 0},
		"{backoffPolicy: exponential, backoffDelay: PT4M}": {4 * time.Minute, 8 * time.Minute, 10 * time.Minute, 10 * time.Minute},
	} {
		m, err := broker.ReadManifests(fstest.MapFS{"m.yaml": {Data: []byte(manifest(spec,
			map[string]string{"t": "subscriber: {uri: 'http://s/'}"}))}})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Backoff(4); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", spec, got, want)
		}
	}
}

func TestPeriods(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT0.5S": 500 * time.Millisecond, "PT10S": 10 * time.Second, "PT1M30S": 90 * time.Second, "PT2H": 2 * time.Hour,
		"P1D": 24 * time.Hour,
	} {
		if got, err := broker.ParsePeriod(text); got != want || err != nil {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1s", "PT", "P", "5", "PT1X", "-PT1S"} {
		if got, err := broker.ParsePeriod(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
