package role_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// withTwoVersions returns a copy of the demo repository with the version 2 of the demo model, which is available beside
// version 1, and a model that cannot be loaded.
func withTwoVersions(t *testing.T) string {
	t.Helper()
	dir := withBadModel(t)
	if err := os.CopyFS(filepath.Join(dir, "yolo", "2"), os.DirFS(filepath.Join(demoModels, "yolo", "1"))); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "yolo", "config.pbtxt")
	config, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(config, "\nversion_policy { all {} }\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// requestJSON returns the status and the JSON of an answer.
func requestJSON(t *testing.T, method, url, body string) (code int, value any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&value); err != nil {
		t.Errorf("%s %s: %v", method, url, err)
	}
	return resp.StatusCode, value
}

// TestDetect_describesModelsInOpenInference: the answers have the fields of KServe v2 and of Triton's model repository
// extension, and errors have the field error.
func TestDetect_describesModelsInOpenInference(t *testing.T) {
	address, end := runDetect(t, "MODEL_REPOSITORY", withTwoVersions(t))
	url := "http://" + address + "/v2"
	for _, c := range []struct {
		method, path, body string
		code               int
		want               string // a part of the answer
	}{
		{"GET", "", "", 200, `"name":"imageflow"`},
		{"GET", "/", "", 200, `"extensions":[`},
		{"GET", "/health/live", "", 200, `{"live":true}`},
		{"GET", "/health/ready", "", 200, `{"live":true,"ready":true}`},
		{"GET", "/models/yolo/ready", "", 200, `{"name":"yolo","ready":true}`},
		{"GET", "/models/yolo/versions/1/ready", "", 200, `{"name":"yolo","ready":true}`},
		{"GET", "/models/bad/ready", "", 400, `{"name":"bad","ready":false}`},
		{"GET", "/models/bad", "", 400, `"error":"model \"bad\" is not ready: `},
		{"GET", "/models/none", "", 404, `"error":"`},
		{"GET", "/models/yolo/versions/9", "", 404, `"error":"version: `},
		{"POST", "/models/yolo/infer", "{}", 404, `/v1/detect`},
		{"POST", "/repository/models/yolo/unload", "{}", 400, `MODEL_CONTROL=explicit`},
		{"POST", "/repository/index", "[", 400, `"error":"`},
		{"POST", "/repository/index", "", 200, `{"name":"bad","reason":"`},
		{"POST", "/repository/index", `{"ready": true}`, 200,
			`[{"name":"yolo","reason":"","state":"READY","version":"1"},{"name":"yolo","reason":"","state":"READY","version":"2"}]`},
	} {
		code, value := requestJSON(t, c.method, url+c.path, c.body)
		if text, _ := json.Marshal(value); code != c.code || !strings.Contains(string(text), c.want) {
			t.Errorf("%s %s: got %d %s, want %d with %s", c.method, c.path, code, text, c.code, c.want)
		}
	}
	describesTensors(t, url+"/models/yolo")
	describesTensors(t, url+"/models/yolo/versions/1")
	if err := end(); err != nil {
		t.Error(err)
	}
}

// describesTensors expects the metadata of the demo model, of which two versions are available.
func describesTensors(t *testing.T, url string) {
	t.Helper()
	_, got := requestJSON(t, "GET", url, "")
	described, _ := got.(map[string]any)
	inputs, _ := described["inputs"].([]any)
	versions := []any{"1", "2"}
	if len(inputs) != 1 || described["platform"] != "onnxruntime_onnx" || !reflect.DeepEqual(described["versions"], versions) {
		t.Fatalf("%s: got %v", url, got)
	}
	input, _ := inputs[0].(map[string]any)
	if shape, _ := input["shape"].([]any); input["datatype"] != "FP32" || len(shape) != 4 || input["name"] == "" {
		t.Errorf("%s: got the input %v, want one of FP32 with four dimensions", url, input)
	}
}
