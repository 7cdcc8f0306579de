package gateway_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

func TestOpenAPI_describesEveryPathInSnakeCase(t *testing.T) {
	resp, text := ask(t, "GET", before(t, "127.0.0.1:1")+"/openapi.json", "")
	var description struct {
		Paths      map[string]map[string]any
		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	if err := json.Unmarshal([]byte(text), &description); err != nil || resp.StatusCode != http.StatusOK ||
		resp.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v", resp.StatusCode, err)
	}
	n := 0
	protoregistry.GlobalFiles.RangeFilesByPackage("imageflow.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			for m, methods := 0, file.Services().Get(i).Methods(); m < methods.Len(); m++ {
				rule, _ := proto.GetExtension(methods.Get(m).Options(), annotations.E_Http).(*annotations.HttpRule)
				for method, path := range map[string]string{"get": rule.GetGet(), "post": rule.GetPost()} {
					if path == "" {
						continue
					}
					n++
					if description.Paths[strings.ReplaceAll(path, "=**", "")][method] == nil {
						t.Errorf("%s %s is not described", method, path)
					}
				}
			}
		}
		return true
	})
	if n < 8 || description.Components.Schemas["ResizeRequest"].Properties["target_width"] == nil {
		t.Errorf("%d paths; %v", n, description.Components.Schemas["ResizeRequest"])
	}
}

func TestProto_isTextWithComments(t *testing.T) {
	resp, err := http.Get(before(t, "127.0.0.1:1") + "/proto")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if text := string(body); err != nil || resp.StatusCode != http.StatusOK ||
		resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" ||
		!strings.Contains(text, "\n// ResizeService makes an image smaller or, on request, larger.\nservice ResizeService {") ||
		!strings.Contains(text, "\n  // The requested width in pixels; 0 derives it from the height.\n  int32 target_width = 2;") {
		t.Errorf("%d %v %v\n%.2000s", resp.StatusCode, resp.Header, err, text)
	}
}
