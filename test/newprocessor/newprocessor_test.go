// Package newprocessor_test adds a made-up processor, invert, to a copy of the tree and
// calls it through every protocol.
package newprocessor_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"imageflow.dev/internal/objects"
	"imageflow.dev/test/localmode"
)

const bucket = "imageflow-files"

// TestNewProcessor generates the code of invert, builds local mode with it, and calls
// it.
func TestNewProcessor(t *testing.T) {
	imports := filepath.Join(root, ".cache/proto")
	if _, err := os.Stat(imports); err != nil {
		t.Skip("the imports of the contract are not there; make check-proto fetches them")
	}
	folder := copyTree(t)
	copyFolder(t, imports, filepath.Join(folder, ".cache/proto"))
	command(t, folder, "go", "tool", "-modfile=hack/tools/go.mod", "buf", "generate")
	command(t, folder, "go", "tool", "-modfile=hack/tools/go.mod", "buf", "build", "-o", "contract.binpb")
	models := filepath.Join(absolute(t, root), "functions/detect/model/repository")
	local, err := localmode.Start(build(t, folder), "--models", models, "--eventing", filepath.Join(folder, "eventing"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(local.Stop)

	t.Run("JSON", func(t *testing.T) {
		answer := post(t, local.Gateway+"/v1/invert", map[string]any{"input_bytes": encoded(given), "strength": 1})
		wantColour(t, answer["result"].(map[string]any)["output_data"], inverted)
	})
	t.Run("pipeline", func(t *testing.T) {
		step := map[string]any{"invert": map[string]any{"strength": 1}}
		answer := post(t, local.Gateway+"/v1/pipeline", map[string]any{"input_bytes": encoded(given), "steps": []any{step, step}})
		wantColour(t, answer["output_data"], given)
	})
	t.Run("gRPC", func(t *testing.T) { callGRPC(t, filepath.Join(folder, "contract.binpb"), local.Addresses["invert"]) })
	t.Run("event", func(t *testing.T) { upload(t, local.S3) })
}

var given, inverted = color.RGBA{10, 20, 30, 255}, color.RGBA{245, 235, 225, 255}

// build builds local mode from the tree with the files of folder in place of its own.
func build(t *testing.T, folder string) string {
	t.Helper()
	replace := map[string]string{}
	for _, part := range []string{"proto/imageflow/v1", "internal", "cmd", "functions"} {
		err := filepath.WalkDir(filepath.Join(folder, part), func(path string, entry os.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				name, _ := filepath.Rel(folder, path)
				replace[filepath.Join(absolute(t, root), name)] = path
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file, binary := filepath.Join(folder, "overlay.json"), filepath.Join(folder, "imageflow-local")
	write(t, file, string(overlay))
	command(t, root, "go", "build", "-buildvcs=false", "-overlay", file, "-o", binary, "./cmd/imageflow-local")
	return binary
}

func command(t *testing.T, folder, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// post sends a message as JSON and returns the answer.
func post(t *testing.T, url string, message any) (answer map[string]any) {
	t.Helper()
	body, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s %v", url, resp.Status, text, err)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// callGRPC calls the unary method by the descriptors of the contract.
func callGRPC(t *testing.T, contract, address string) {
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal([]byte(read(t, contract)), set); err != nil {
		t.Fatal(err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatal(err)
	}
	found, err := files.FindDescriptorByName("imageflow.v1.InvertService")
	if err != nil {
		t.Fatal(err)
	}
	method := found.(protoreflect.ServiceDescriptor).Methods().ByName("InvertImage")
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request, response := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
	request.Set(method.Input().Fields().ByName("input_bytes"), protoreflect.ValueOfBytes(encoded(given)))
	request.Set(method.Input().Fields().ByName("strength"), protoreflect.ValueOfFloat32(1))
	if err := conn.Invoke(t.Context(), "/imageflow.v1.InvertService/InvertImage", request, response); err != nil {
		t.Fatal(err)
	}
	result := response.Get(method.Output().Fields().ByName("result")).Message()
	data := result.Get(result.Descriptor().Fields().ByName("output_data")).Bytes()
	wantColour(t, base64.StdEncoding.EncodeToString(data), inverted)
}

// upload uploads an image and waits for the output that the Trigger causes.
func upload(t *testing.T, address string) {
	store, err := objects.New(objects.Config{
		Endpoint: address, AccessKey: "imageflow", SecretKey: "imageflow-local", Region: "us-east-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Put(t.Context(), bucket, "inverted/in.png", "image/png", encoded(given), nil); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		data, _, err := store.Get(t.Context(), bucket, "inverted/in.png_invert.png", "", 1<<20)
		if err == nil {
			wantColour(t, base64.StdEncoding.EncodeToString(data), inverted)
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no output after 30 s: ", err)
		}
	}
}

// encoded returns a PNG of one colour.
func encoded(c color.Color) []byte {
	m := image.NewRGBA(image.Rect(0, 0, 16, 16))
	for y := range 16 {
		for x := range 16 {
			m.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	_ = png.Encode(&b, m)
	return b.Bytes()
}

// wantColour checks the colour of a PNG in base64.
func wantColour(t *testing.T, text any, want color.RGBA) {
	t.Helper()
	m, err := png.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(fmt.Sprint(text))))
	if err != nil {
		t.Fatalf("%.80v: %v", text, err)
	}
	if got := color.RGBAModel.Convert(m.At(8, 8)); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
