package role_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"imageflow.dev/cmd/internal/role"
)

const controlToken = "the-control-secret"

// runExplicit runs detect with MODEL_CONTROL=explicit on a copy of the demo repository with the models "bad", which
// cannot be loaded, and "second".
func runExplicit(t *testing.T) (dir, address string, end func() error) {
	t.Helper()
	dir = withBadModel(t)
	addModel(t, dir, "second")
	for key, value := range map[string]string{
		"MODEL_CONTROL": "explicit", "MODEL_CONTROL_TOKEN": controlToken, "MODEL_REPOSITORY_POLL": "10ms",
	} {
		t.Setenv(key, value)
	}
	address, end = runDetect(t, "MODEL_REPOSITORY", dir)
	return dir, address, end
}

// addModel copies the demo model under another name.
func addModel(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(demoModels, "yolo"))); err != nil {
		t.Fatal(err)
	}
}

// control asks to load or unload a model. The path has no prefix.
func control(t *testing.T, address, path, authorization, body string) (code int, text string, header http.Header) {
	t.Helper()
	url := "http://" + address + "/v2/repository/models/" + path
	r, err := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", authorization)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp.StatusCode, string(answer), resp.Header
}

// detectWith returns the status and the text of a detection with a model.
func detectWith(t *testing.T, address, model string) (int, string) {
	t.Helper()
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, image.NewGray(image.Rect(0, 0, 64, 64))); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"input_bytes": encoded.Bytes(), "model_name": model})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post("http://"+address+"/v1/detect", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(answer)
}

const ours = "Bearer " + controlToken

// refusedControls are requests with the status and a part of their answers.
var refusedControls = []struct {
	path, authorization, body string
	code                      int
	want                      string
}{
	{"second/load", "", "", 401, "MODEL_CONTROL_TOKEN"},
	{"second/load", "Bearer", "", 401, "MODEL_CONTROL_TOKEN"},
	{"second/load", "Bearer ", "", 401, "MODEL_CONTROL_TOKEN"},
	{"second/load", "Basic " + controlToken, "", 401, "MODEL_CONTROL_TOKEN"},
	{"second/load", ours + "x", "", 401, "MODEL_CONTROL_TOKEN"},
	{"yolo/unload", "Bearer wrong", "", 401, "MODEL_CONTROL_TOKEN"},
	{"none/load", "", "{", 401, "MODEL_CONTROL_TOKEN"},
	{"second/load", ours, "{", 400, "JSON object"},
	{"second/load", ours, "[1]", 400, "JSON object"},
	{"second/load", ours, `{"parameters": "x"}`, 400, "JSON object"},
	{"second/load", ours, strings.Repeat("[", 60_000), 400, "JSON object"},
	{"second/load", ours, strings.Repeat(" ", 65_537), 400, "larger than 65536 bytes"},
	{"second/load", ours, `{"parameters": {"config": "{}"}}`, 400, `\"config\" is not supported`},
	{"second/load", ours, `{"parameters": {"file:1/model.onnx": "AAAA"}}`, 400, "as they are in the repository"},
	{"yolo/unload", ours, `{"parameters": {"unload_dependents": 1}}`, 400, "unload_dependents"},
	{"bad/load", ours, "", 400, `model \"bad\": `},
	{"none/load", ours, "", 404, "the repository has bad, second, yolo"},
	{"none/unload", ours, "", 404, "not found"},
	{"..%2f..%2fetc/load", ours, "", 404, "not found"},
	{strings.Repeat("x", 3000) + "/load", ours, "", 404, "the repository has bad, second, yolo"},
	{strings.Repeat("x", 3000) + "/unload", ours, "", 404, "not found"},
	{"second/reload", ours, "", 404, "no such endpoint"},
}

// TestDetect_refusesControl: requests without the token, with bodies that ask for something else, or for models that cannot
// be loaded are refused in the extension's JSON, and change nothing.
func TestDetect_refusesControl(t *testing.T) {
	_, address, end := runExplicit(t)
	for _, c := range refusedControls {
		code, text, header := control(t, address, c.path, c.authorization, c.body)
		var answer struct{ Error string }
		err := json.Unmarshal([]byte(text), &answer)
		isError := err == nil && answer.Error != "" && len(text) < 1000 && !strings.Contains(text, controlToken)
		if code != c.code || !strings.Contains(text, c.want) || !isError {
			t.Errorf("%s with %q and %.40q: got %d %s, want %d with %s", c.path, c.authorization, c.body, code, text, c.code, c.want)
		}
		if (header.Get("WWW-Authenticate") == "Bearer") != (code == 401) {
			t.Errorf("%s: got the header %v with %d", c.path, header, code)
		}
	}
	if code, text := detectWith(t, address, "yolo"); code != 200 {
		t.Errorf("got %d %s", code, text)
	}
	if code, text := detectWith(t, address, "second"); code != 400 || !strings.Contains(text, "not loaded") {
		t.Errorf("got %d %s, want that the model is not loaded", code, text)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

// expectIndex expects a part in the index of the repository.
func expectIndex(t *testing.T, address, want string) {
	t.Helper()
	_, value := requestJSON(t, "POST", "http://"+address+"/v2/repository/index", "")
	if text, _ := json.Marshal(value); !strings.Contains(string(text), want) {
		t.Errorf("the index is %s, want %s", text, want)
	}
}

// TestDetect_loadsAndUnloads: requests load and unload models, and nothing else does.
func TestDetect_loadsAndUnloads(t *testing.T) {
	dir, address, end := runExplicit(t)
	expect := func(path, body string) {
		t.Helper()
		if code, text, _ := control(t, address, path, ours, body); code != 200 || text != "" {
			t.Errorf("%s: got %d %s", path, code, text)
		}
	}
	index := func(want string) { t.Helper(); expectIndex(t, address, want) }
	const unloaded = `"reason":"it is not loaded, and with MODEL_CONTROL=explicit only a load request loads it",` +
		`"state":"UNAVAILABLE","version":"1"}`
	index(`{"name":"second",` + unloaded)
	expect("second/load", "")
	expect("second/load", `{"parameters": {}}`)
	index(`{"name":"second","reason":"","state":"READY","version":"1"}`)
	if code, text := detectWith(t, address, "second"); code != 200 {
		t.Errorf("got %d %s", code, text)
	}
	expect("second/unload", `{"parameters": {"unload_dependents": true}}`)
	expect("yolo/unload", "{}")
	index(`{"name":"yolo",` + unloaded)
	for _, model := range []string{"second", "yolo", ""} {
		if code, text := detectWith(t, address, model); code != 400 || !strings.Contains(text, "not loaded") {
			t.Errorf("%q: got %d %s, want that it is not loaded", model, code, text)
		}
	}
	if code, _ := requestJSON(t, "GET", "http://"+address+"/v2/health/ready", ""); code != 400 {
		t.Errorf("without the default model, ready is %d", code)
	}
	addModel(t, dir, "third")
	expect("third/load", "")
	expect("yolo/load", "")
	index(`{"name":"yolo","reason":"","state":"READY","version":"1"}`)
	if code, text := detectWith(t, address, "third"); code != 200 {
		t.Errorf("got %d %s", code, text)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

// TestDetect_controlUnderLoad: requests that run while their model is loaded and unloaded succeed or say that it is
// not loaded, those of the other model succeed, and at the end no goroutine of the models remains.
func TestDetect_controlUnderLoad(t *testing.T) {
	_, address, end := runExplicit(t)
	var all sync.WaitGroup
	stop := time.Now().Add(2 * time.Second)
	for range 2 {
		all.Go(func() {
			for time.Now().Before(stop) {
				code, text := detectWith(t, address, "second")
				isUnloaded := code == 400 && strings.Contains(text, "not loaded") || code == 503 && strings.Contains(text, "unloaded")
				if code != 200 && code != 429 && !isUnloaded {
					t.Errorf("got %d %s", code, text)
				}
				if code, text := detectWith(t, address, "yolo"); code != 200 && code != 429 {
					t.Errorf("got %d %s", code, text)
				}
			}
		})
		all.Go(func() {
			for time.Now().Before(stop) {
				for _, path := range []string{"second/load", "second/unload"} {
					if code, text, _ := control(t, address, path, "Bearer "+controlToken, ""); code != 200 {
						t.Errorf("%s: got %d %s", path, code, text)
					}
				}
			}
		})
	}
	all.Wait()
	if err := end(); err != nil {
		t.Error(err)
	}
	expectNoneInside(t, "imageflow.dev/internal/inference.", "imageflow.dev/internal/openinference.")
}

// expectNoneInside waits until no goroutine runs in the packages.
func expectNoneInside(t *testing.T, packages ...string) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	isInside := func(p string) bool { return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte(p)) }
	for deadline := time.Now().Add(20 * time.Second); slices.ContainsFunc(packages, isInside); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("goroutines remain:\n%s", stacks)
		}
	}
}

func TestDetectConfig_control(t *testing.T) {
	for _, c := range []struct{ control, token, backend, want string }{
		{"poll", "", "", ""},
		{"explicit", controlToken, "", ""},
		{"explicit", "secret", "", "MODEL_CONTROL_TOKEN has 6 bytes but needs at least 16"},
		{"explicit", "", "", "MODEL_CONTROL_TOKEN must be set"},
		{"explicit", controlToken + "\n", "", "MODEL_CONTROL_TOKEN has a space or a line break"},
		{"explicit", controlToken, "triton", "--model-control-mode"},
		{"none", "", "", "MODEL_REPOSITORY_POLL=0"},
	} {
		t.Setenv("MODEL_CONTROL", c.control)
		t.Setenv("MODEL_CONTROL_TOKEN", c.token)
		t.Setenv("INFERENCE_BACKEND", c.backend)
		config := &role.DetectConfig{}
		if err := role.Load(config); err != nil {
			t.Fatal(err)
		}
		err := config.Validate()
		if text := err.Error(); !strings.Contains(text, c.want) || c.want == "" && strings.Contains(text, "MODEL_CONTROL") {
			t.Errorf("%v: got %v", c, err)
		}
	}
}
