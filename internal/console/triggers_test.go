package console

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"imageflow.dev/internal/local/broker"
	"imageflow.dev/internal/triggers"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// inForce is what ListChains says about eventing/chain.yaml, reduced to what matters here.
var inForce = &imageflowv1.ListChainsResponse{Chains: []*imageflowv1.Chain{
	{
		Name: "chain", Broker: "image-processing/default",
		Sources: []*imageflowv1.ChainSource{{Type: "com.amazonaws.s3.ObjectCreated:", ExcludedPrefixes: []string{"cards/"}}},
		Nodes: []*imageflowv1.ChainNode{
			step("chain-1-resize", "resize", "/?target_width=800"), step("chain-2-detect", "detect", "/?draw_boxes=true"),
			step("chain-3-filter", "filter", "/?filter_type=FILTER_TYPE_BLUR"),
			{Id: "chain-4-completed", Trigger: "chain-4-completed", Kind: imageflowv1.ChainNodeKind_CHAIN_NODE_KIND_COMPLETION},
			{Id: "console", Trigger: "console", Kind: imageflowv1.ChainNodeKind_CHAIN_NODE_KIND_OTHER},
		},
		Edges: []*imageflowv1.ChainEdge{
			{To: "chain-1-resize", EventType: "com.amazonaws.s3.ObjectCreated:"},
			{From: "chain-1-resize", To: "chain-2-detect", EventType: "dev.imageflow.resize.completed.v1"},
			{From: "chain-2-detect", To: "chain-3-filter", EventType: "dev.imageflow.detect.completed.v1"},
			{From: "chain-3-filter", To: "chain-4-completed", EventType: "dev.imageflow.filter.completed.v1"},
			{To: "console", EventType: "com.amazonaws.s3.ObjectCreated:"},
		},
	},
	{
		Name: "thumbnails", Broker: "image-processing/default", Sources: []*imageflowv1.ChainSource{{Prefix: "thumbnails/"}},
		Nodes: []*imageflowv1.ChainNode{step("thumbnails-1-resize", "resize", "/")},
		Edges: []*imageflowv1.ChainEdge{{To: "thumbnails-1-resize", EventType: "com.amazonaws.s3.ObjectCreated:"}},
	},
}}

func step(name, processor, uri string) *imageflowv1.ChainNode {
	services := map[string]string{
		"resize": "resize-grpc-service", "detect": "ai-detection-grpc-service", "filter": "filter-grpc-service",
	}
	return &imageflowv1.ChainNode{
		Id: name, Trigger: name, Kind: imageflowv1.ChainNodeKind_CHAIN_NODE_KIND_STEP, Processor: processor, Uri: uri,
		Subscriber: services[processor], Outputs: []string{processor},
	}
}

// benches are choices that make chains: the steps of a pipeline, one of them twice or thrice, and hostile parameters.
var benches = map[string]string{
	"three": "step=resize&1.target_width=300&step=detect&2.draw_boxes=true&step=filter&3.filter_type=FILTER_TYPE_BLUR&3.intensity=2",
	"twice": "step=resize&1.target_width=300&step=filter&2.filter_type=FILTER_TYPE_BLUR&2.intensity=2&step=resize&3.target_width=9",
	"all thrice": strings.Repeat("step=resize&step=filter&", 3) + "1.target_width=9&3.target_width=8&5.target_width=7&" +
		"2.filter_type=1&4.filter_type=1&6.filter_type=1",
	"in a row": "step=resize&step=resize&1.target_width=99&2.target_width=9&2.variant=small",
	"variant":  "step=resize&1.target_width=99&1.variant=large&step=detect&step=resize&3.target_width=7",
	"sizes":    "step=resize&1.target_width=99&1.renditions.small.target_width=9&output_image.content_type=image/webp",
	"texts":    "step=detect&1.classes=a%26b%23%25%20'%22%0A%C3%BC&1.class_thresholds[x: y]=0.5&name=x&prefix=Stra%C3%9Fe+1/",
}

// TestTriggers_areValid: imageflow chain finds no problem, and the broker of local mode takes them.
func TestTriggers_areValid(t *testing.T) {
	for name, choices := range benches {
		text, err := readBench(query(t, choices)).triggerFile(inForce)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		all, err := triggers.Parse([]triggers.File{{Name: "x.yaml", Text: []byte(text)}})
		if err != nil || len(all) != strings.Count(choices, "step=")+1 {
			t.Errorf("%s: %d Triggers, %v\n%s", name, len(all), err, text)
		}
		for _, p := range triggers.Problems(all, nil) {
			t.Errorf("%s: %v\n%s", name, p, text)
		}
		for _, one := range all {
			if !strings.Contains(one.Metadata.Annotations[triggers.DescriptionAnnotation], " the chain ") {
				t.Errorf("%s: %s has no description\n%s", name, one, text)
			}
		}
		if chains := triggers.Chains(all, nil); len(chains) != 1 || len(chains[0].Edges) != len(all) {
			t.Errorf("%s: %+v\n%s", name, chains, text)
		}
		brokers, err := os.ReadFile("../../eventing/broker.yaml")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := broker.ReadManifests(fstest.MapFS{"a.yaml": {Data: brokers}, "b.yaml": {Data: []byte(text)}}); err != nil {
			t.Errorf("%s: the broker: %v\n%s", name, err, text)
		}
	}
}

// TestTriggers_exclusions: beside eventing/chain.yaml there is a problem, until the Triggers that the file names have the
// filter that it shows.
func TestTriggers_exclusions(t *testing.T) {
	text, err := readBench(query(t, benches["three"])).triggerFile(inForce)
	if err != nil {
		t.Fatal(err)
	}
	containsAll(t, text, "need one filter more: chain-1-resize, chain-2-detect, chain-3-filter, chain-4-completed\n",
		"# - not:\n#     prefix:\n#       subject: bench/\n")
	chain, err := os.ReadFile("../../eventing/chain.yaml")
	if err != nil {
		t.Fatal(err)
	}
	problems := func(chain string) []triggers.Problem {
		all, err := triggers.Parse([]triggers.File{{Name: "chain.yaml", Text: []byte(chain)}, {Name: "bench.yaml", Text: []byte(text)}})
		if err != nil {
			t.Fatal(err)
		}
		return triggers.Problems(all, nil)
	}
	if len(problems(string(chain))) == 0 {
		t.Error("no problem beside a chain for all uploads")
	}
	const filter = "    - not:\n        prefix:\n          subject: bench/\n"
	excluded := strings.ReplaceAll(string(chain), "  filters:\n", "  filters:\n"+filter)
	for _, p := range problems(excluded) {
		t.Errorf("with the filters: %v", p)
	}
}

func TestTriggers_refused(t *testing.T) {
	for choices, says := range map[string]string{
		"step=resize&1.target_width=9&name=Bad_Name":  "name: ",
		"step=resize&1.target_width=9&prefix=a":       "prefix: ",
		"step=resize&1.target_width=9&prefix=/a/":     "prefix: ",
		"step=resize&1.target_width=9&prefix=a/../b/": "prefix: ",
		"step=resize&1.target_width=wide":             "step 1, resize: target_width: ",
		"step=filter&1.intensity=1":                   "step 1, filter: filter_type: ",
		"key=a":                                       "no step",
		"step=resize&1.target_width=9&1.variant=v&step=resize&2.target_width=8&2.variant=v": "step 2, resize: variant: ",
		"step=detect&1.classes=" + strings.Repeat("x", 9000):                                "step 1, detect: ",
	} {
		_, err := readBench(query(t, choices)).triggerFile(inForce)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.60s: %v", choices, err)
		}
	}
}

func TestTriggers_download(t *testing.T) {
	s := consoleOf(t, &gatewayStub{}, nil)
	code, text, h := visit(s, httptest.NewRequest(http.MethodGet, "/bench/triggers.yaml?name=mine&"+benches["three"], nil))
	if code != http.StatusOK || h.Get("Content-Disposition") != `attachment; filename="mine.yaml"` {
		t.Errorf("%d %v", code, h)
	}
	containsAll(t, text, "name: mine-1-resize", "name: mine-4-completed", "subject: mine/", "in force is not known")
	r := httptest.NewRequest(http.MethodGet, "/bench/triggers.yaml?step=resize", nil)
	if code, _, _ := visit(s, r); code != http.StatusBadRequest {
		t.Errorf("without parameters: %d", code)
	}
}
