package triggers_test

import (
	"fmt"
	"strings"
	"testing"

	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/triggers"
)

const (
	detect  = "ai-detection-grpc-service"
	under   = `,{"prefix":{"subject":"in/"}}`
	outside = `,{"not":{"prefix":{"subject":"in/"}}}`

	detected = `{"exact":{"type":"dev.imageflow.detect.completed.v1"}}`
	filtered = `{"exact":{"type":"dev.imageflow.filter.completed.v1"}}`
	anyStep  = `{"prefix":{"type":"dev.imageflow."}}`
)

// step is a Trigger as service, uri and filters.
type step [3]string

func chain(t *testing.T, steps []step) (all []triggers.Trigger) {
	t.Helper()
	for i, s := range steps {
		all = append(all, trigger(t, fmt.Sprintf("t%d", i), s[0], s[1], "["+s[2]+"]"))
	}
	return all
}

var chains = []struct {
	name  string
	steps []step
	says  string // in the error; empty for no error
}{
	{"three renditions, each with a detection that inherits its variant", []step{
		{resize, "/?variant=s", created}, {resize, "/?variant=m", created}, {resize, "/?variant=l", created}, {detect, "/", resized},
	}, ""},
	{"a detection with a variant of its own after each of two renditions", []step{
		{resize, "/?variant=s", created}, {resize, "/?variant=m", created}, {detect, "/?variant=x", resized},
	}, "n/t0 -> Trigger n/t2 and Trigger n/t1 -> Trigger n/t2: one upload can take both ways, and ai-detection-grpc-service " +
		"then writes <execution id>_ai-detection-x twice"},
	{"it selects one of them by the variant", []step{
		{resize, "/?variant=s", created}, {resize, "/?variant=m", created},
		{detect, "/?variant=x", resized + `,{"exact":{"variant":"s"}}`},
	}, ""},
	{"a later step takes the inherited variant of an earlier one", []step{
		{resize, "/?variant=s", created}, {detect, "/", resized}, {resize, "/", detected},
	}, "<execution id>_resize-s twice"},
	{"a later step has a variant of its own", []step{
		{resize, "/", created}, {detect, "/", resized}, {resize, "/?variant=s", detected},
	}, ""},
	{"two ways to one step", []step{
		{resize, "/", created}, {filter, "/", created}, {detect, "/", `{"any":[` + resized + `,` + filtered + `]}`},
	}, "<execution id>_ai-detection twice"},
	{"two ways for uploads of different folders", []step{
		{resize, "/", created + under}, {filter, "/", created + outside}, {detect, "/", `{"any":[` + resized + `,` + filtered + `]}`},
	}, ""},
	{"the second way ends at the folder", []step{
		{resize, "/", created}, {filter, "/", created}, {detect, "/", resized + under}, {detect, "/", filtered + outside},
	}, ""},
	{"a bucket of its own is inherited", []step{
		{resize, "/?output_image.bucket=b", created}, {filter, "/", created},
		{detect, "/", `{"any":[` + resized + `,` + filtered + `]}`},
	}, ""},
	{"a loop ends", []step{{resize, "/", created}, {filter, "/", `{"any":[` + resized + `,` + filtered + `]}`}}, ""},
	{"another broker's events", []step{{resize, "/", created}, {detect, "/", resized}, {filter, "/", detected}}, ""},
	{"two detections before a redaction", []step{
		{detect, "/?variant=a", created}, {detect, "/?variant=b", detected + `,{"exact":{"variant":"a"}}`},
		{filter, "/?filter_type=FILTER_TYPE_FILL&redaction.detected=true", detected + `,{"exact":{"variant":"b"}}`},
	}, "n/t2 takes only the last detection, but Trigger n/t0 and Trigger n/t1 detect"},
	{"two detections, each before a redaction", []step{
		{detect, "/?variant=a", created},
		{filter, `/?filter_type=FILTER_TYPE_FILL&redaction={"detected":%20true}`, detected + `,{"exact":{"variant":"a"}}`},
		{detect, "/?variant=b", filtered + `,{"exact":{"variant":"a"}}`},
		{filter, "/?filter_type=FILTER_TYPE_FILL&redaction.detected=true", detected + `,{"exact":{"variant":"b"}}`},
	}, ""},
	{"completion", []step{
		{resize, "/?variant=s", created}, {detect, "/", created},
		{"bridge", "/completed?of=resize-s,detect", anyStep},
	}, ""},
	{"completion without such a step", []step{
		{resize, "/?variant=s", created}, {"bridge", "/completed?of=resize-m", anyStep},
	}, "of: no Trigger makes resize-m"},
	{"completion without the event", []step{
		{resize, "/?variant=s", created}, {detect, "/", created}, {"bridge", "/completed?of=resize-s,detect", resized},
	}, "of: no Trigger makes detect and an event that this one gets"},
	{"completion with an unknown parameter", []step{{resize, "/", created}, {"bridge", "/completed?off=resize", anyStep}},
		`"off": no such parameter`},
	{"completion with two lists", []step{{resize, "/", created}, {"bridge", "/completed?of=resize&of=filter", anyStep}},
		"of: given more than once"},
	{"renditions and another Trigger with the variant of one", []step{
		{resize, "/?target_width=9&renditions.s.target_width=1&renditions.m.target_width=2", created}, {resize, "/?variant=m", created},
	}, "<execution id>_resize-m twice"},
	{"renditions as JSON that are awaited", []step{
		{resize, "/?target_width=9&renditions=%7B%22variant%22:%22s%22%7D", created}, {detect, "/", resized},
		{"bridge", "/completed?of=resize-s,detect", anyStep},
	}, ""},
	{"a later step inherits the variant of an earlier rendition", []step{
		{resize, "/?variant=s", created}, {detect, "/", resized}, {resize, "/?variant=x&renditions.s.target_width=1", detected},
	}, "<execution id>_resize-s twice"},
	{"completion of nonsense", []step{{resize, "/", created}, {"bridge", "/completed?of=tiny", anyStep}}, `"tiny" is no step`},
}

func TestCheck_chains(t *testing.T) {
	for _, c := range chains {
		err := triggers.Check(triggers.Expand(chain(t, c.steps), nil))
		if (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestCheck_presets: a step has the format of its preset, unless its parameters name another, and takes a detection if its preset
// does.
func TestCheck_presets(t *testing.T) {
	set, err := presets.Parse([]byte("presets:\n" +
		"  web: {filter: {filter_type: FILTER_TYPE_BLUR, intensity: 1, output_image: {content_type: image/webp}}}\n" +
		"  print: {filter: {filter_type: FILTER_TYPE_BLUR, intensity: 1, output_image: {content_type: image/png}}}\n" +
		"  hide: {filter: {filter_type: FILTER_TYPE_FILL, redaction: {detected: true}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		steps []step
		says  string
	}{
		{[]step{{filter, "/?preset=web", created}, {filter, "/?preset=print", created}}, ""},
		{[]step{{filter, "/?preset=web", created}, {filter, "/?preset=web", created}}, "<execution id>_filter twice"},
		{[]step{{filter, "/?preset=web", created}, {filter, "/?preset=print&output_image.content_type=image/webp", created}}, "twice"},
		{[]step{{filter, "/?preset=web", created}, {"bridge", "/completed?of=filter.webp", anyStep}}, ""},
		{[]step{{filter, "/?preset=print", created}, {"bridge", "/completed?of=filter.webp", anyStep}}, "no Trigger makes filter.webp"},
		{[]step{
			{detect, "/?variant=a", created}, {detect, "/?variant=b", detected + `,{"exact":{"variant":"a"}}`},
			{filter, "/?preset=hide", detected + `,{"exact":{"variant":"b"}}`},
		}, "takes only the last detection"},
	} {
		err := triggers.Check(triggers.Expand(chain(t, c.steps), set))
		if (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v, want %q", c.steps, err, c.says)
		}
	}
}

// TestCheck_ends: very many Triggers that select everything are checked in bounded time.
func TestCheck_ends(t *testing.T) {
	var steps []step
	for i := range 40 {
		steps = append(steps, step{[]string{resize, detect, filter}[i%3], fmt.Sprintf("/?variant=v%d", i), ""})
	}
	if err := triggers.Check(chain(t, steps)); err == nil || !strings.Contains(err.Error(), "resize-v0 twice") {
		t.Errorf("each gets the upload and the events of all others: %v", err)
	}
}

// TestCompletions_renditions: no Trigger needs to wait for renditions, which are stored before the event of their step.
func TestCompletions_renditions(t *testing.T) {
	set, err := presets.Parse([]byte("presets: {card: {resize: {target_width: 9, renditions: [{variant: tiny, target_width: 1}]}}}"))
	if err != nil {
		t.Fatal(err)
	}
	for uri, want := range map[string]string{
		"/?variant=l&renditions.s.target_width=1&renditions.m.content_type=image/webp": "[resize-l]",
		"/?preset=card": "[resize]",
	} {
		all := triggers.Expand(chain(t, []step{{resize, uri, created}, {"bridge", "/completed", anyStep}}), set)
		if got := triggers.Completions(all); len(got) != 1 || fmt.Sprint(got[0].Leaves) != want {
			t.Errorf("%s: %+v, want %s", uri, got, want)
		}
	}
}

func TestCompletions(t *testing.T) {
	all := chain(t, []step{
		{resize, "/?variant=s&output_image.content_type=image/webp", created + under},
		{resize, "/?variant=m", created + under},
		{detect, "/", resized + under + `,{"exact":{"variant":"m"}}`},
		{filter, "/?output_image.bucket=other", created + under},
		{resize, "/", created + outside},
		{"bridge", "/completed?of=resize-s", anyStep + under},
		{"bridge", "/completed", resized + outside},
		{"bridge", "/dead-letters", anyStep},
	})
	got := triggers.Completions(all)
	if len(got) != 2 || fmt.Sprint(got[0].Leaves) != "[resize-s.webp detect-m]" || fmt.Sprint(got[0].Of) != "[resize-s]" ||
		len(got[0].Elsewhere) != 1 || !strings.Contains(got[0].Elsewhere[0], "n/t3") {
		t.Fatalf("got %+v", got)
	}
	if fmt.Sprint(got[1].Leaves) != "[resize]" || got[1].Of != nil {
		t.Errorf("the other is %+v", got[1])
	}
}
