package gateway_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"imageflow.dev/internal/gateway"
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
	described := map[string]bool{}
	for path, methods := range description.Paths {
		for method := range methods {
			described[method+" "+path] = true
		}
	}
	if served := servedPaths(); !maps.Equal(served, described) {
		t.Errorf("the gateway serves %v\nand describes %v", slices.Sorted(maps.Keys(served)), slices.Sorted(maps.Keys(described)))
	}
	if description.Components.Schemas["ResizeRequest"].Properties["target_width"] == nil {
		t.Errorf("ResizeRequest is %v", description.Components.Schemas["ResizeRequest"])
	}
}

// servedPaths returns the methods and paths of the contract, of streams and of images.
func servedPaths() map[string]bool {
	served := map[string]bool{"get " + gateway.ImagesPath + "{key}": true}
	for path := range (&gateway.Executions{}).Backend().Streams {
		served["get "+path] = true
	}
	protoregistry.GlobalFiles.RangeFilesByPackage("imageflow.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			for m, methods := 0, file.Services().Get(i).Methods(); m < methods.Len(); m++ {
				rule, _ := proto.GetExtension(methods.Get(m).Options(), annotations.E_Http).(*annotations.HttpRule)
				for _, binding := range append(rule.GetAdditionalBindings(), rule) {
					for method, path := range map[string]string{"get": binding.GetGet(), "post": binding.GetPost()} {
						if path != "" {
							served[method+" "+strings.ReplaceAll(path, "=**", "")] = true
						}
					}
				}
			}
		}
		return true
	})
	return served
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
