package triggers_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"imageflow.dev/internal/triggers"
)

// trigger returns a Trigger with filters and the URI of its subscriber, a Service.
func trigger(t testing.TB, name, service, uri, filters string) triggers.Trigger {
	t.Helper()
	var tr triggers.Trigger
	text, err := json.Marshal(map[string]any{
		"metadata": map[string]string{"name": name, "namespace": "n"},
		"spec": map[string]any{
			"filters":    json.RawMessage(filters),
			"subscriber": map[string]any{"ref": map[string]string{"name": service}, "uri": uri},
		},
	})
	if err == nil {
		err = json.Unmarshal(text, &tr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

const (
	created = `{"prefix":{"type":"com.amazonaws.s3.ObjectCreated:"}}`
	resized = `{"exact":{"type":"dev.imageflow.resize.completed.v1"}}`
)

const resize, filter = "resize-grpc-service", "filter-grpc-service"

var clashCases = []struct {
	name, service, a, b, uriA, uriB string
	clash                           bool
}{
	{"sizes of one upload", resize, created, created, "/?target_width=320", "/?target_width=640", true},
	{"side-cars clash in any format", resize, created, created, "/?output_image.content_type=image/webp", "/?target_width=1", true},
	{"no filter", resize, ``, created, "", "", true},
	{"a suffix and a prefix", resize, created + `,{"suffix":{"subject":".jpg"}}`, created + `,{"prefix":{"subject":"in/"}}`,
		"", "", true},
	{"two prefixes", resize, created + `,{"prefix":{"subject":"a/"}}`, created + `,{"prefix":{"subject":"b/"}}`, "", "", false},
	{"a prefix of the other", resize, created + `,{"prefix":{"subject":"a/"}}`, created + `,{"prefix":{"subject":"a/b/"}}`,
		"", "", true},
	{"prefix and not", resize, created + `,{"prefix":{"subject":"a/"}}`, created + `,{"not":{"prefix":{"subject":"a/"}}}`,
		"", "", false},
	{"not a part of it", resize, created + `,{"prefix":{"subject":"a/"}}`, created +
		`,{"not":{"prefix":{"subject":"a/b"}}}`, "", "", true},
	{"two types, one after the other", resize, created, resized, "", "", true},
	{"two types", filter, created, resized, "", "", false},
	{"a type that no processor takes", filter, `{"exact":{"type":"other"}}`, `{"exact":{"type":"other"}}`, "", "", false},
	{"any of the types", resize, `{"any":[` + created + `,` + resized + `]}`, resized, "", "", true},
	{"not any of the types", resize, `{"not":{"any":[` + created + `,` + resized + `]}}`, resized, "", "", false},
	{"not all", resize, `{"not":{"all":[` + created + `,{"suffix":{"subject":".jpg"}}]}}`, created +
		`,{"suffix":{"subject":".x.jpg"}}`, "", "", true}, // the event of the second leads to the first
	{"CESQL", resize, `{"cesql":"type = 'x'"}`, created, "", "", true},
	{"another bucket", resize, created, created, "/?target_width=1&output_image.bucket=small", "/?target_width=2", false},
	{"two keys", resize, created, created, "/?output_image.object_key=a.jpg", "/?outputImage.objectKey=b.jpg", false},
	{"one key", filter, created, created, "/?output_image.object_key=a.jpg", "/?outputImage.objectKey=a.jpg", true},
	{"two formats without side-cars", filter, created, created, "/?output_image.content_type=image/png",
		"/?output_image.content_type=image/webp", false},
	{"one format by two names", filter, created, created, "/?output_image.content_type=image/jpg",
		"/?output_image.content_type=image/jpeg", true},
	{"two variants", resize, created, created, "/?target_width=1&variant=small", "/?target_width=1&variant=large", false},
	{"one variant", resize, created, created, "/?target_width=1&variant=small", "/?target_width=2&variant=small", true},
	{"a variant and none", resize, created, created, "/?target_width=1&variant=small", "/?target_width=2", false},
	{"one key of two variants", filter, created, created, "/?output_image.object_key=a.jpg&variant=a",
		"/?output_image.object_key=a.jpg", true},
	{"not a processor", "bridge", created, created, "/completed", "/completed", false},
}

func TestClashes(t *testing.T) {
	for _, c := range clashCases {
		a, b := trigger(t, "first", c.service, c.uriA, "["+c.a+"]"), trigger(t, "second", c.service, c.uriB, "["+c.b+"]")
		for _, both := range [][]triggers.Trigger{{a, b}, {b, a}} {
			err := triggers.Check(both)
			if (err != nil) != c.clash {
				t.Errorf("%s: %v", c.name, err)
			}
			if err != nil && (!strings.Contains(err.Error(), "Trigger n/first") || !strings.Contains(err.Error(), "Trigger n/second")) {
				t.Errorf("%s: the two are not named: %v", c.name, err)
			}
		}
	}
}

// TestOverlapIsExact compares overlap with a search for an event that both filters select,
// among very many events.
func TestOverlapIsExact(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	events := allEvents()
	pairs := 3000
	if testing.Short() {
		pairs = 500
	}
	for range pairs {
		a, b := randomFilter(random, 3), randomFilter(random, 3)
		matched := false
		for _, e := range events {
			if matches(a, e) && matches(b, e) {
				matched = true
				break
			}
		}
		first, second := asTrigger(a), asTrigger(b)
		if clash := triggers.Check([]triggers.Trigger{first, second}) != nil; clash != matched {
			one, _ := json.Marshal(a)
			other, _ := json.Marshal(b)
			t.Fatalf("clash: %v, but an event matches both: %v\n%s\n%s", clash, matched, one, other)
		}
	}
}

func asTrigger(f triggers.Filter) (t triggers.Trigger) {
	t.Spec.Filters = []triggers.Filter{{Exact: map[string]string{"type": "dev.imageflow.resize.completed.v1"}}, f}
	t.Spec.Subscriber.Ref = &struct{ Namespace, Name string }{Name: "resize-grpc-service"}
	return t
}

// allEvents have all values of up to four letters for two attributes. No filter contains
// the letter z.
func allEvents() (all []map[string]string) {
	values := []string{""}
	for i := 0; len(values[i]) < 4; i++ {
		for _, c := range []string{"a", "b", "z"} {
			values = append(values, values[i]+c)
		}
	}
	for _, x := range values {
		for _, y := range values[:40] {
			all = append(all, map[string]string{"x": x, "y": y})
		}
	}
	return all
}

func randomFilter(r *rand.Rand, depth int) triggers.Filter {
	compared := func() map[string]string {
		value := ""
		for range 1 + r.IntN(2) {
			value += string("ab"[r.IntN(2)])
		}
		return map[string]string{[]string{"x", "x", "y"}[r.IntN(3)]: value[:1+r.IntN(len(value))]}
	}
	nested := func() []triggers.Filter {
		return []triggers.Filter{randomFilter(r, depth-1), randomFilter(r, depth-1)}
	}
	kind := r.IntN(6)
	if depth == 0 {
		kind = r.IntN(3)
	}
	switch kind {
	case 0:
		return triggers.Filter{Exact: compared()}
	case 1:
		return triggers.Filter{Prefix: compared()}
	case 2:
		return triggers.Filter{Suffix: compared()}
	case 3:
		return triggers.Filter{All: nested()}
	case 4:
		return triggers.Filter{Any: nested()}
	}
	not := randomFilter(r, depth-1)
	return triggers.Filter{Not: &not}
}

// matches reports whether a filter selects an event.
func matches(f triggers.Filter, e map[string]string) bool {
	for name, value := range f.Exact {
		return e[name] == value
	}
	for name, value := range f.Prefix {
		return strings.HasPrefix(e[name], value)
	}
	for name, value := range f.Suffix {
		return strings.HasSuffix(e[name], value)
	}
	for _, part := range f.All {
		if !matches(part, e) {
			return false
		}
	}
	for _, part := range f.Any {
		if matches(part, e) {
			return true
		}
	}
	if f.Not != nil {
		return !matches(*f.Not, e)
	}
	return len(f.All) > 0
}
