package knative_test

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"

	knative "knative.dev/eventing/pkg/apis/eventing/v1"
)

// dice makes random events and filters.
type dice struct{ *rand.Rand }

func (r dice) oneOf(all ...string) string { return all[r.IntN(len(all))] }

// optional are the attributes that an event may lack. The last three are Knative's other names for
// some of them, which an event may also have as extensions.
var optional = map[string][]string{
	"Subject":             {"thumbnails/a.jpg", "thumbnails/", "a", "ü +%2F/b.png"},
	"Time":                {"2026-11-25T03:00:00Z", "2026-11-25T05:00:00.120+02:00", "0001-01-01T00:00:00Z"},
	"Dataschema":          {"http://schemas/a", "urn:b"},
	"Partitionkey":        {"1", "true", "thumbnails/a", "-0.5"},
	"Empty":               {""},
	"Traceparent":         {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	"Schemaurl":           {"http://schemas/a", "x"},
	"Datamediatype":       {"image/jpeg", "x"},
	"Datacontentencoding": {"base64"},
}

var attributeNames = []string{
	"specversion", "type", "source", "id", "subject", "time", "dataschema", "datacontenttype", "partitionkey",
	"empty", "traceparent", "missing", "schemaurl", "datamediatype", "datacontentencoding",
}

func (r dice) event() http.Header {
	h := headerOf(r.oneOf("a", "ab", "b.completed.v1", "com.amazonaws.s3.ObjectCreated:Put"))
	h.Set("Ce-Source", r.oneOf("/a", "/test", "minio:s3..b"))
	h.Set("Ce-Id", r.oneOf("1", "a", "ab"))
	h.Set("Content-Type", r.oneOf("application/json", "image/jpeg", "text/plain; charset=utf-8"))
	if r.IntN(4) == 0 {
		h.Del("Content-Type")
	}
	for _, name := range slices.Sorted(maps.Keys(optional)) { // in an order that the seed alone gives
		if r.IntN(2) == 0 {
			h.Set("Ce-"+name, r.oneOf(optional[name]...))
		}
	}
	return h
}

func (r dice) filters(h http.Header) (spec knative.TriggerSpec) {
	if r.IntN(5) == 0 {
		spec.Filter = &knative.TriggerFilter{Attributes: r.attributes(h, whole, 0)}
		for _, name := range slices.Sorted(maps.Keys(spec.Filter.Attributes)) {
			if r.IntN(3) == 0 {
				spec.Filter.Attributes[name] = knative.TriggerAnyFilter
			}
		}
		return spec
	}
	spec.Filters = []knative.SubscriptionsAPIFilter{}
	for range r.IntN(3) {
		spec.Filters = append(spec.Filters, r.filter(h, 3))
	}
	return spec
}

func (r dice) filter(h http.Header, depth int) (f knative.SubscriptionsAPIFilter) {
	dialects := 6
	if depth == 0 {
		dialects = 3
	}
	switch r.IntN(dialects) {
	case 0:
		f.Exact = r.attributes(h, whole, 1)
	case 1:
		f.Prefix = r.attributes(h, front, 1)
	case 2:
		f.Suffix = r.attributes(h, end, 1)
	case 3:
		f.All = r.several(h, depth-1)
	case 4:
		f.Any = r.several(h, depth-1)
	case 5:
		inner := r.filter(h, depth-1)
		f.Not = &inner
	}
	return f
}

func (r dice) several(h http.Header, depth int) (all []knative.SubscriptionsAPIFilter) {
	for range 1 + r.IntN(3) {
		all = append(all, r.filter(h, depth))
	}
	return all
}

func whole(r dice, value string) string { return value }
func front(r dice, value string) string { return value[:1+r.IntN(len(value))] }
func end(r dice, value string) string   { return value[r.IntN(len(value)):] }

// attributes returns a filter on at least so many attributes, often some of the event's own.
func (r dice) attributes(h http.Header, part func(dice, string) string, least int) map[string]string {
	wanted := map[string]string{}
	for range least + r.IntN(2) {
		name := r.oneOf(attributeNames...)
		value := h.Get("Ce-" + name)
		if name == "datacontenttype" || name == "datamediatype" && r.IntN(2) == 0 {
			value = h.Get("Content-Type")
		}
		if value == "" || r.IntN(5) == 0 {
			value = r.oneOf("a", "0001-01-01T00:00:00Z", "2026", "image/jpeg", "1", "x")
		}
		wanted[name] = part(r, value)
	}
	return wanted
}
