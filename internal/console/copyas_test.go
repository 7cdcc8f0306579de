package console

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// hostile are keys that would run commands, end quotes, be templates of Argo, or turn the direction of writing.
var hostile = []string{
	"in/cat.jpg", "a b'c\"d.jpg", "$(touch x)`touch x`${HOME}\\.jpg", "a\nb;touch x\n#.jpg", "'; touch x; '", "-x", "@file",
	"!!{{=1}}{{{x}}}",
	"\u202egpj.exe", "ü€😀&<>\t\x01.jpg", "*?[a]~\\n%0a",
}

// arguments returns the words with which a shell calls the commands of a text, and fails if the text does anything else.
func arguments(t *testing.T, text string) (calls [][]string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"curl", "grpcurl", "kn"} {
		const stub = "#!/bin/bash\nprintf '%s\\0' CALL \"$@\"\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(stub), 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	work := t.TempDir()
	cmd := exec.Command("bash", "-euc", text)
	cmd.Dir, cmd.Env = work, []string{"PATH=" + dir + ":/usr/bin:/bin", "HOME=/nowhere", tokenVariable + "=secret"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if files, _ := os.ReadDir(work); len(files) > 0 {
		t.Errorf("the text made %s:\n%s", files[0].Name(), text)
	}
	for _, word := range strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if word == "CALL" {
			calls = append(calls, nil)
			continue
		}
		calls[len(calls)-1] = append(calls[len(calls)-1], word)
	}
	return calls
}

// valueAfter returns the word after a flag.
func valueAfter(words []string, flag string) string {
	at := slices.Index(words, flag)
	if at < 0 || at+1 == len(words) {
		return ""
	}
	return words[at+1]
}

func resizeOf(key string) *imageflowv1.ResizeRequest {
	return &imageflowv1.ResizeRequest{InputImage: &imageflowv1.ImageData{Bucket: "b", ObjectKey: key}, TargetWidth: 9}
}

// isRequest reports whether a body is the JSON of a request, without characters that have no form.
func isRequest(t *testing.T, body string, want proto.Message) bool {
	t.Helper()
	got := want.ProtoReflect().New().Interface()
	if err := protojson.Unmarshal([]byte(body), got); err != nil {
		t.Errorf("%v: %s", err, body)
	}
	return proto.Equal(got, want) && visible(strings.ReplaceAll(body, "\n", "")) == strings.ReplaceAll(body, "\n", "")
}

func TestCurlText(t *testing.T) {
	for _, key := range hostile {
		for _, needsToken := range []bool{false, true} {
			calls := arguments(t, curlText("http://host:1/v1/resize", bodyText(resizeOf(key)), needsToken))
			words := calls[0]
			if len(calls) != 1 || words[len(words)-1] != "http://host:1/v1/resize" ||
				needsToken != (valueAfter(words, "-H") == "Authorization: Bearer secret") ||
				!isRequest(t, valueAfter(words, "--json"), resizeOf(key)) {
				t.Errorf("%q: %q", key, calls)
			}
		}
	}
}

func TestGrpcurlText(t *testing.T) {
	for _, key := range hostile {
		words := arguments(t, grpcurlText("http://host:1/", "/a.B/C", bodyText(resizeOf(key)), true))[0]
		if !slices.Equal(words[len(words)-2:], []string{"host:1", "a.B/C"}) || !slices.Contains(words, "-plaintext") ||
			valueAfter(words, "-H") != "authorization: Bearer secret" || !isRequest(t, valueAfter(words, "-d"), resizeOf(key)) {
			t.Errorf("%q: %q", key, words)
		}
	}
	for address, host := range map[string]string{"https://h": "h:443", "http://h": "h:80", "https://[::1]:2": "[::1]:2"} {
		words := arguments(t, grpcurlText(address, "/a.B/C", "{}", false))[0]
		if words[len(words)-2] != host || slices.Contains(words, "-plaintext") == strings.HasPrefix(address, "https") {
			t.Errorf("%s: %q", address, words)
		}
	}
}

// TestArgoText: the template has the form of those in config/argo, and no text of a request is a template of Argo.
func TestArgoText(t *testing.T) {
	shipped, err := os.ReadFile("../../config/argo/one-call.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var workflow struct {
		Spec struct{ Templates []map[string]any }
	}
	if err := yaml.Unmarshal(shipped, &workflow); err != nil {
		t.Fatal(err)
	}
	for _, key := range hostile {
		text, err := argoText("resize", "/v1/resize", bodyText(resizeOf(key)), true)
		if err != nil {
			t.Fatal(err)
		}
		var templates []map[string]any
		if err := yaml.Unmarshal([]byte(text), &templates); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		got, want := templates[0], workflow.Spec.Templates[0]
		call := got["http"].(map[string]any)
		body := call["body"].(string)
		retry, _ := json.Marshal(got["retryStrategy"])
		shippedRetry, _ := json.Marshal(want["retryStrategy"])
		if string(retry) != string(shippedRetry) || call["url"] != "{{workflow.parameters.gateway}}/v1/resize" ||
			strings.Contains(body, "{{") || !isRequest(t, body, resizeOf(key)) || !strings.Contains(text, "key: token") {
			t.Errorf("%q:\n%s", key, text)
		}
	}
}

// ranChain returns an execution that the chain of inForce has made.
func ranChain(key, id string) *imageflowv1.GetExecutionResponse {
	output := func(name, suffix string) *imageflowv1.ExecutionStep {
		image := &imageflowv1.ImageData{Bucket: "b", ObjectKey: id + "_" + suffix + ".jpg"}
		return &imageflowv1.ExecutionStep{Name: name, OutputImage: image}
	}
	return &imageflowv1.GetExecutionResponse{
		ExecutionId: id, Source: &imageflowv1.ImageData{Bucket: "b", ObjectKey: key, Etag: "e"},
		Steps: []*imageflowv1.ExecutionStep{output("resize", "resize"), output("detect", "ai-detection"), output("filter", "filter")},
	}
}

// TestStepCopies: each text of each step is one call with the parameters of the Trigger and the output before.
func TestStepCopies(t *testing.T) {
	for _, key := range hostile {
		id := key + "."
		g := &gatewayStub{execution: ranChain(key, id), chains: inForce}
		s := consoleOf(t, g, func(c *Config) { c.GatewayURL = "https://gate.example/" })
		page := executionPage{Run: runOf("b", g.execution)}
		s.addCopies(httptest.NewRequest(http.MethodGet, "/execution", nil), &page)
		all := page.Copies
		if len(all) != 3 {
			t.Fatalf("%d steps", len(all))
		}
		again := readBench(query(t, strings.TrimPrefix(page.Bench, "/bench?")))
		if again.Key != key || len(again.Steps) != 3 || again.Steps[0].Parameters.Get("target_width") != "800" {
			t.Errorf("the bench is %s", page.Bench)
		}
		for i, name := range []string{"resize", "detect", "filter"} {
			input, uri := key, inForce.GetChains()[0].GetNodes()[i].GetUri()
			if i > 0 {
				input = g.execution.GetSteps()[i-1].GetOutputImage().GetObjectKey()
			}
			for _, c := range all[i].Copies {
				checkCopy(t, c, name, input, uri)
			}
			if len(all[i].Copies) != 6 {
				t.Errorf("%q, %s: %d texts; %s", key, name, len(all[i].Copies), all[i].Note)
			}
		}
	}
}

// checkCopy checks a text for a step with an input and the URI of its Trigger.
func checkCopy(t *testing.T, c copyText, name, input, uri string) {
	t.Helper()
	switch c.Title {
	case "curl":
		words := arguments(t, c.Text)[0]
		var body struct {
			Image struct {
				Key string `json:"object_key"`
			} `json:"input_image"`
			ID string `json:"execution_id"`
		}
		err := json.Unmarshal([]byte(valueAfter(words, "--json")), &body)
		if words[len(words)-1] != "https://gate.example/v1/"+name || body.Image.Key != input ||
			!strings.HasPrefix(body.ID, benchFolder) {
			t.Errorf("%q, %s: %v, %q", input, name, err, words)
		}
	case "CloudEvent", "kn":
		words := arguments(t, c.Text)[0]
		if last := words[len(words)-1]; !strings.HasSuffix(last, ".image-processing.svc.cluster.local"+uri) {
			t.Errorf("%q, %s: %s to %s", input, name, c.Title, last)
		}
	case "Trigger YAML":
		containsAll(t, c.Text, "uri: "+uri, "name: chain-")
	}
}

// TestStepCopies_unknown: what cannot be known is said, and no command is shown with other parameters.
func TestStepCopies_unknown(t *testing.T) {
	g := &gatewayStub{execution: ranChain("cards/a.jpg", "cards/a")}
	s := consoleOf(t, g, func(c *Config) { c.ReadFrom = []string{"other"} }) // there is no store
	says := func(want string) {
		t.Helper()
		code, page, _ := visit(s, httptest.NewRequest(http.MethodGet, "/execution?id=cards/a", nil))
		if code != http.StatusOK || !strings.Contains(page, want) || strings.Contains(page, "--json") {
			t.Errorf("%d, %s", code, want)
		}
	}
	says("does not say which are in force: no Triggers")
	g.chains = inForce // excludes cards/
	says("No Trigger in force makes this output")
	twice := proto.CloneOf(inForce)
	twice.Chains[0].Sources[0].ExcludedPrefixes = nil
	twice.Chains = append(twice.Chains, twice.Chains[0])
	g.chains = twice
	says("Several Triggers in force make such an output")
}

// TestKnCopy: no command is shown for a Trigger whose filters kn does not have: it would get the events of later steps.
func TestKnCopy(t *testing.T) {
	for name, has := range map[string]bool{"three": true, "variant": true, "twice": false, "all thrice": false} {
		all, err := readBench(query(t, benches[name])).triggers()
		if err != nil {
			t.Fatal(err)
		}
		c := knCopy(all...)
		if has != (c.Text != "") || has && len(arguments(t, c.Text)) != len(all) {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// TestBenchCopies: the texts of the bench are calls with all its steps, at the address of the page.
func TestBenchCopies(t *testing.T) {
	s := consoleOf(t, &gatewayStub{}, func(c *Config) { c.Token = "never-on-a-page" })
	for _, key := range hostile {
		b := readBench(query(t, benches["three"]))
		b.Bucket, b.Key = "b", key
		req, ok := b.request("console/x")
		if !ok {
			t.Fatal("not permitted")
		}
		r := httptest.NewRequest(http.MethodGet, "http://pages.example:8080/bench", nil)
		for _, c := range s.benchCopies(r, b, req) {
			if strings.Contains(c.Text, "never-on-a-page") {
				t.Errorf("%s has the token", c.Title)
			}
			switch c.Title {
			case "curl":
				words := arguments(t, c.Text)[0]
				if words[len(words)-1] != "http://pages.example:8080/v1/pipeline" || !isRequest(t, valueAfter(words, "--json"), req) {
					t.Errorf("%q: %q", key, words)
				}
			case "kn":
				if calls := arguments(t, c.Text); len(calls) != 4 || calls[3][2] != "bench-4-completed" {
					t.Errorf("%q", calls)
				}
			}
		}
	}
}
