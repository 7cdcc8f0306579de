package triggers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/triggers"
)

// shipped returns the Triggers in eventing and the presets that they name.
func shipped(t testing.TB) ([]triggers.Trigger, *presets.Set) {
	t.Helper()
	const eventing = "../../eventing"
	files, err := triggers.ReadFiles([]string{
		eventing, eventing + "/examples", eventing + "/examples/presets", eventing + "/examples/webhooks",
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := triggers.Parse(files)
	if err != nil {
		t.Fatal(err)
	}
	set, err := presets.Load("../../config/components/presets/presets.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return all, set
}

// text returns a chain in one line: its sources, nodes and edges.
func text(c triggers.Chain) string {
	var parts []string
	for _, s := range c.Sources {
		source := s.Type + s.Bucket + s.Prefix + "*" + s.Suffix + s.Key
		parts = append(parts, fmt.Sprintf("%s-%d%q", source, len(s.Excluded), s.Conditions))
	}
	for _, n := range c.Nodes {
		parts = append(parts, fmt.Sprintf("%s%v%v", n.ID, n.Outputs, n.WaitsFor))
	}
	for _, e := range c.Edges {
		parts = append(parts, e.From+">"+e.To)
	}
	return strings.Join(parts, " ")
}

// TestChains_shipped: the Triggers in eventing make these chains, without a problem.
func TestChains_shipped(t *testing.T) {
	all, set := shipped(t)
	want := map[string][]string{
		"chain": {
			"ObjectCreated:*-", "chain-1-resize[resize][]", "chain-2-detect[detect]", "chain-3-filter[filter]", "chain-4-completed[][]",
			">chain-1-resize", "chain-1-resize>chain-2-detect", "chain-3-filter>chain-4-completed", "chain-4-completed>webhook-completed",
			" >webhook-progress",
		},
		"renditions": {
			"renditions/*-0", "renditions-1-small[resize-small.webp]", "renditions-5-filter[filter]",
			"renditions-2-medium>renditions-6-completed",
			"renditions-6-completed[][resize-small.webp resize-medium.webp resize-large.webp detect filter]",
		},
		"redact": {"redact-1-detect>redact-2-filter", "redact-2-filter>chain-4-completed"},
		"avatars": {
			">avatars-1-pipeline/1 ", "avatars-1-pipeline/1[resize]", "avatars-1-pipeline/1>avatars-1-pipeline/2",
			"avatars-1-pipeline/2>chain-4-completed",
		},
		"thumbnails": nil, "focus": nil, "cards": nil,
	}
	chains := triggers.Chains(all, set)
	for _, c := range chains {
		if c.Broker != "image-processing/default" {
			t.Errorf("chain %q on %q", c.Name, c.Broker)
		}
		for _, part := range want[c.Name] {
			if !strings.Contains(text(c)+" ", part) {
				t.Errorf("%s: no %q in %s", c.Name, part, text(c))
			}
		}
	}
	for name := range want {
		if !slices.ContainsFunc(chains, func(c triggers.Chain) bool { return c.Name == name }) {
			t.Errorf("no chain %s", name)
		}
	}
	for _, p := range triggers.Problems(all, set) {
		t.Errorf("problem: %v", p)
	}
}

// TestChains_renditionsOfPipelines: a step of a pipeline has its renditions as outputs, too.
func TestChains_renditionsOfPipelines(t *testing.T) {
	set, err := presets.Parse([]byte("pipelines: {sizes: [" +
		"{resize: {target_width: 800, renditions: [{variant: small, target_width: 100, content_type: image/webp}]}}, " +
		"{filter: {filter_type: FILTER_TYPE_BLUR, intensity: 1}}]}"))
	if err != nil {
		t.Fatal(err)
	}
	all := chain(t, []step{{"grpc-gateway", "/?pipeline=sizes", created}})
	if got := text(triggers.Chains(all, set)[0]); !strings.Contains(got, "t0/1[resize resize-small.webp][]") &&
		!strings.Contains(got, "t0/1[resize-small.webp resize][]") || !strings.Contains(got, "t0/2[filter][]") {
		t.Errorf("got %s", got)
	}
}

func TestChains_sources(t *testing.T) {
	all := chain(t, []step{
		{resize, "/", `{"any":[{"exact":{"type":"com.amazonaws.s3.ObjectCreated:Put","source":"minio:s3..photos","subject":"a.png"}},` +
			`{"prefix":{"type":"com.amazonaws.s3.ObjectCreated:"}}]},{"suffix":{"subject":".png"}},{"cesql":"x = 1"},` +
			`{"not":{"suffix":{"subject":"b.png"}}},{"exact":{"backfill":"thumbs"}}`},
	})
	got := text(triggers.Chains(all, nil)[0])
	rest := `["CESQL: x = 1" "backfill is \"thumbs\"" "not (subject ends with \"b.png\")"]`
	for _, want := range []string{
		"com.amazonaws.s3.ObjectCreated:Putphotos*.pnga.png-0" + rest, "com.amazonaws.s3.ObjectCreated:*.png-0" + rest,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

// TestChains_inheritedVariants: one Trigger after two branches is one node with two outputs.
func TestChains_inheritedVariants(t *testing.T) {
	all := chain(t, []step{
		{resize, "/?variant=s", created}, {resize, "/?variant=l", created}, {detect, "/?output_image.bucket=b", resized},
		{filter, "/?output_image.object_key=x.jpg", detected}, {"elsewhere", "/x?y=1", resized},
	})
	all = append(all, all[4])
	all[5].Metadata.Name, all[5].Spec.Subscriber.Ref = "hook", nil
	all[5].Spec.Subscriber.URI = "https://hooks.example:8443/T0/secret?token=s"
	chains := triggers.Chains(all, nil)
	if len(chains) != 1 {
		t.Fatalf("%d chains", len(chains))
	}
	got := text(chains[0])
	for _, want := range []string{"t2[b/detect-s b/detect-l]", "t3[x.jpg]", "t0>t2 t1>t2", "t1>t4"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	last := chains[0].Nodes[len(chains[0].Nodes)-1]
	if last.Subscriber != "https://hooks.example:8443" || last.URI != "" {
		t.Errorf("the URL of a webhook is shown: %+v", last)
	}
}

func TestProblems(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []step
		kind  triggers.ProblemKind
		says  string
	}{
		{"a type of no step", []step{{resize, "/", created}, {"bridge", "/completed", resized}, {detect, "/", filtered}},
			triggers.Unreached, "t2: no upload and no step"},
		{"a completion of no step", []step{{resize, "/", created}, {"bridge", "/completed", resized},
			{"bridge", "/completed", filtered}},
			triggers.Unreached, "t2: no upload and no step"},
		{"a Service", []step{{resize, "/", created}, {"bridge", "/completed", resized}, {"resize-grpc", "/", created}},
			triggers.UnknownStep, `no Service "resize-grpc"`},
		{"a pipeline", []step{{"grpc-gateway", "/?pipeline=p", created}}, triggers.UnknownStep, "PRESETS_FILE has no pipelines"},
		{"a leaf without a completion", []step{{resize, "/", created}}, triggers.UnawaitedLeaf, "no Trigger to /completed gets"},
		{"a leaf that is not in of", []step{{resize, "/", created}, {filter, "/", created},
			{"bridge", "/completed?of=resize", anyStep}},
			triggers.UnawaitedLeaf, "does not wait for filter"},
		{"two leaves without of", []step{{resize, "/", created}, {filter, "/", created}, {"bridge", "/completed", anyStep}},
			triggers.UnawaitedLeaf, "the first of resize and filter completes"},
		{"two leaves of other uploads", []step{{resize, "/", created + under}, {filter, "/", created + outside},
			{"bridge", "/completed", anyStep}}, -1, ""},
		{"a loop", []step{{resize, "/", created}, {"bridge", "/completed", filtered},
			{filter, "/", `{"any":[` + resized + `,` + filtered + `]}`}}, triggers.Loop, "t2: it gets an event"},
		{"a missing leaf", []step{{resize, "/", created}, {"bridge", "/completed?of=resize-m,resize", anyStep}},
			triggers.MissingLeaf, "no Trigger makes resize-m"},
		{"one name", []step{{resize, "/", created}, {resize, "/", created}, {"bridge", "/completed", anyStep}},
			triggers.SameOutput, "writes <execution id>_resize twice"},
	} {
		got := triggers.Problems(chain(t, c.steps), nil)
		if c.kind < 0 {
			if len(got) > 0 {
				t.Errorf("%s: %v", c.name, got)
			}
			continue
		}
		if len(got) != 1 || got[0].Kind != c.kind || !strings.Contains(got[0].Message, c.says) || len(got[0].Triggers) == 0 {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// TestChains_ends: the largest set of Triggers, each of which gets everything, is described in bounded time.
func TestChains_ends(t *testing.T) {
	var steps []step
	for i := range 150 {
		steps = append(steps, step{[]string{resize, detect, "elsewhere"}[i%3], fmt.Sprintf("/?variant=v%d", i), ""})
	}
	all := chain(t, steps)
	if chains := triggers.Chains(all, nil); len(chains) != 1 {
		t.Errorf("%d chains", len(chains))
	}
	problems := triggers.Problems(all, nil)
	if last := problems[len(problems)-1]; last.Kind != triggers.Incomplete {
		t.Errorf("the last problem is %v", last)
	}
}

func TestParse(t *testing.T) {
	dir := t.TempDir()
	const list = "apiVersion: v1\nkind: List\nitems:\n" +
		"- {kind: Trigger, metadata: {name: a}}\n- {kind: Broker, metadata: {name: b}}\n"
	for name, text := range map[string]string{
		"a.yaml": list, "b.yml": "# nothing\n---\nkind: Trigger\nmetadata: {name: c}\n", "c.txt": "no yaml: [", "Kustomization": "x",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := triggers.ReadFiles([]string{dir})
	if err != nil || len(files) != 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	all, err := triggers.Parse(files)
	if err != nil || len(all) != 2 || all[0].Metadata.Name != "a" || all[1].File != filepath.Join(dir, "b.yml") {
		t.Errorf("%+v, %v", all, err)
	}
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
		"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n" +
		"g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n"
	for text, says := range map[string]string{
		"kind: Trigger\n---\n{": "x.yaml: document 2", "kind: Trigger\nspec: {filters: 1}\n": "x.yaml: document 1",
		bomb: "excessive aliasing",
		strings.Repeat("---\nkind: Trigger\n", 502): "more than",
	} {
		_, err := triggers.Parse([]triggers.File{{Name: "x.yaml", Text: []byte(text)}})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.30q: %v", text, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "big.yaml"), make([]byte, 5<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, t.TempDir(), dir + "/missing"} {
		if _, err := triggers.ReadFiles([]string{path}); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
}
