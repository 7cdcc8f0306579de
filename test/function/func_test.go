package function_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/testing/freeport"
)

// make func-test sets both.
var (
	funcCommands = flag.String("func", "", "the commands func to test with, separated by spaces")
	localCommand = flag.String("local", "", "the command imageflow-local")
)

// TestFunc_buildRunInvoke types what func/README.md says, with func itself, and prints what func answers.
func TestFunc_buildRunInvoke(t *testing.T) {
	if *funcCommands == "" {
		t.Skip("needs func: make func-test")
	}
	endpoints := localMode(t)
	for command := range strings.FieldsSeq(*funcCommands) {
		t.Run(filepath.Base(command), func(t *testing.T) {
			f := project{t: t, command: command, folder: filepath.Join(t.TempDir(), "func")}
			if err := os.CopyFS(f.folder, os.DirFS("../../func")); err != nil {
				t.Fatal(err)
			}
			f.run("build", "--builder", "host", "--registry", "registry.example.com/alice")
			checkImage(t, filepath.Join(f.folder, ".func/build/oci"))
			url := f.serve(endpoints)
			if says := f.run("invoke"); !strings.Contains(says, "POST /v1/resize") {
				t.Errorf("func invoke answers %s", says)
			}
			if says := f.run("invoke", "--target", url+"/v1/formats", "--request-type", "GET"); !strings.Contains(says, "image/jpeg") {
				t.Errorf("GET /v1/formats answers %s", says)
			}
			small := f.run("invoke", "--target", url+"/v1/resize", "--data", `{"input_bytes": "`+pixel+`", "target_width": 2}`)
			if !strings.Contains(small, "PROCESSING_STATUS_COMPLETED") {
				t.Errorf("a resize answers %s", small)
			}
		})
	}
}

// pixel is a PNG of one pixel in base64.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

// localMode starts the processors and returns the arguments of func run with their addresses.
func localMode(t *testing.T) []string {
	t.Helper()
	var args, env []string
	for _, p := range processors.All {
		port := strconv.Itoa(freeport.Port())
		args = append(args, "--"+p.Name+"-port", port)
		env = append(env, "-e", p.EndpointVariable+"=127.0.0.1:"+port)
	}
	for _, name := range []string{"gateway", "bridge", "broker", "notify", "metrics", "s3"} {
		args = append(args, "--"+name+"-port", "0")
	}
	cmd := exec.CommandContext(t.Context(), *localCommand, append(args, "--data", t.TempDir())...)
	cmd.Dir = "../.."
	background(t, cmd)
	_, address, _ := strings.Cut(env[1], "=")
	waitFor(t, "http://"+address+"/health/readiness")
	return env
}

// project is a copy of func/ with a command of func.
type project struct {
	t               *testing.T
	command, folder string
}

// run runs func in the folder of the function and returns its output.
func (f project) run(args ...string) string {
	f.t.Helper()
	out, err := f.prepare(args...).CombinedOutput()
	f.t.Logf("$ func %s\n%s", strings.Join(args, " "), out)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(out)
}

func (f project) prepare(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(f.t.Context(), f.command, args...)
	cmd.Dir = f.folder
	cmd.Env = append(cmd.Environ(), "XDG_CONFIG_HOME="+filepath.Dir(f.folder)) // func lists the functions that run in it
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }      // else the function would go on
	return cmd
}

// serve starts func run and returns the URL of the function.
func (f project) serve(args []string) string {
	f.t.Helper()
	address := freeport.Address()
	args = slices.Concat([]string{"run", "--builder", "host", "--address", address}, args)
	if strings.Contains(f.command, "v0.48") { // func 1.21 passes no environment; func-go reads this file in all releases
		f.t.Log("$ cat cfg\n" + f.configure(args))
	}
	f.t.Logf("$ func %s", strings.Join(args, " "))
	background(f.t, f.prepare(args...))
	waitFor(f.t, "http://"+address+"/health/readiness")
	return "http://" + address
}

// configure writes the variables in args as the function's file cfg, and returns it.
func (f project) configure(args []string) (cfg string) {
	f.t.Helper()
	for _, arg := range args {
		if strings.Contains(arg, "=") {
			cfg += arg + "\n"
		}
	}
	if err := os.WriteFile(filepath.Join(f.folder, "cfg"), []byte(cfg), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return cfg
}

// background starts a command, and stops it when the test ends.
func background(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // t.Context has ended, so the command has been told to
}

func waitFor(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatalf("%s is not ready after two minutes", url)
}

// checkImage checks that an image in OCI layout has three platforms and no file beside the function's.
func checkImage(t *testing.T, folder string) {
	t.Helper()
	var index struct {
		Manifests []struct {
			Digest   string
			Platform struct{ Architecture string }
		}
	}
	readJSON(t, filepath.Join(folder, "index.json"), &index)
	var platforms []string
	for _, m := range index.Manifests {
		platforms = append(platforms, m.Platform.Architecture)
		var manifest struct{ Layers []struct{ Digest string } }
		readJSON(t, blob(folder, m.Digest), &manifest)
		out, err := exec.CommandContext(t.Context(), "tar", "tzf", blob(folder, manifest.Layers[0].Digest)).Output()
		if err != nil {
			t.Fatal(err)
		}
		for file := range strings.FieldsSeq(string(out)) {
			if !regexp.MustCompile(`^/?func(/(\w+\.go|go\.mod|func\.yaml|README\.md)?)?$`).MatchString(file) {
				t.Errorf("the image contains %s", file)
			}
		}
	}
	if want := []string{"amd64", "arm64", "arm"}; !slices.Equal(platforms, want) {
		t.Errorf("the image is for %v, want %v", platforms, want)
	}
}

func blob(folder, digest string) string {
	return fmt.Sprintf("%s/blobs/sha256/%s", folder, strings.TrimPrefix(digest, "sha256:"))
}

func readJSON(t *testing.T, file string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(read(t, file)), v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
