package broker_test

import (
	"net/http"
	"testing"
	"testing/fstest"

	"imageflow.dev/internal/local/broker"
)

var filtered = http.Header{
	"Ce-Specversion": {"1.0"}, "Ce-Id": {"1"}, "Ce-Type": {"com.example.thing.made"}, "Ce-Source": {"/shop"},
	"Ce-Subject": {"in/a.jpg"}, "Content-Type": {"image/jpeg"}, "Ce-Partitionkey": {"p7"},
}

// filterCases are filters, and whether they select the event.
var filterCases = map[string]bool{
	`filters: []`: true,
	`filter: {}`:  true,
	`filter: {attributes: {type: com.example.thing.made}}`:                     true,
	`filter: {attributes: {type: com.example}}`:                                false,
	`filter: {attributes: {partitionkey: ""}}`:                                 true,
	`filter: {attributes: {missing: ""}}`:                                      false,
	`filters: [{exact: {type: com.example.thing.made}}]`:                       true,
	`filters: [{exact: {type: com.example.thing.made, source: /shop}}]`:        true,
	`filters: [{exact: {type: com.example.thing.made, source: /other}}]`:       false,
	`filters: [{exact: {type: COM.example.thing.made}}]`:                       false,
	`filters: [{exact: {partitionkey: p7}}]`:                                   true,
	`filters: [{exact: {datacontenttype: image/jpeg}}]`:                        true,
	`filters: [{exact: {missing: x}}]`:                                         false,
	`filters: [{prefix: {type: com.example.}}]`:                                true,
	`filters: [{prefix: {type: com.example., subject: out/}}]`:                 false,
	`filters: [{prefix: {missing: x}}]`:                                        false,
	`filters: [{suffix: {subject: .jpg}}]`:                                     true,
	`filters: [{suffix: {subject: .png}}]`:                                     false,
	`filters: [{prefix: {subject: in/}}, {suffix: {subject: .jpg}}]`:           true,
	`filters: [{prefix: {subject: in/}}, {suffix: {subject: .png}}]`:           false,
	`filters: [{all: [{prefix: {subject: in/}}, {suffix: {subject: .jpg}}]}]`:  true,
	`filters: [{all: [{prefix: {subject: in/}}, {suffix: {subject: .png}}]}]`:  false,
	`filters: [{any: [{prefix: {subject: out/}}, {suffix: {subject: .jpg}}]}]`: true,
	`filters: [{any: [{prefix: {subject: out/}}, {exact: {missing: x}}]}]`:     false,
	`filters: [{not: {exact: {source: /other}}}]`:                              true,
	`filters: [{not: {exact: {source: /shop}}}]`:                               false,
	`filters: [{not: {exact: {missing: x}}}]`:                                  true,
	`filters: [{not: {not: {exact: {source: /shop}}}}]`:                        true,
	`filters: [{all: [{any: [{exact: {source: /a}}, {exact: {source: /shop}}]}, ` +
		`{not: {all: [{suffix: {type: .made}}, {exact: {subject: x}}]}}]}]`: true,
	`filters: [{all: [{any: [{exact: {source: /a}}, {exact: {source: /shop}}]}, ` +
		`{not: {any: [{suffix: {type: .made}}, {exact: {subject: x}}]}}]}]`: false,
}

func TestFilters(t *testing.T) {
	for filters, want := range filterCases {
		if got, err := matches("subscriber: {uri: 'http://s/'}, "+filters, filtered); got != want || err != nil {
			t.Errorf("%s: got %v, %v", filters, got, err)
		}
	}
}

// matches reports whether a Trigger with this spec matches an event.
func matches(spec string, header http.Header) (bool, error) {
	m, err := broker.ReadManifests(fstest.MapFS{"m.yaml": {Data: []byte(trigger(spec))}})
	if err != nil {
		return false, err
	}
	return m.Matches(header)
}
