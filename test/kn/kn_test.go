// Package kn_test runs kn-imageflow, as kn runs it, against a real local mode.
package kn_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"imageflow.dev/test/localmode"
)

const (
	root  = "../.."
	token = "the-token-of-the-gateway"
)

// The commands, built for these tests, and the local mode that they share.
var (
	binaries string
	local    *localmode.Local
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if binaries, err = os.MkdirTemp("", "imageflow-kn-"); err != nil {
			panic(err)
		}
		defer os.RemoveAll(binaries)
		for folder, command := range map[string]string{root: "./cmd/imageflow-local", root + "/cmd/kn-imageflow": "."} {
			build := exec.Command("go", "build", "-o", binaries+"/", command)
			build.Dir = folder
			if out, err := build.CombinedOutput(); err != nil {
				fmt.Printf("%s%v\n", out, err)
				return 1
			}
		}
		cmd := exec.Command(filepath.Join(binaries, "imageflow-local"))
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "GATEWAY_TOKEN="+token)
		if local, err = localmode.StartCommand(cmd, func(string) {}); err != nil {
			fmt.Println(err)
			return 1
		}
		defer local.Stop()
		return m.Run()
	}())
}

// kn runs a command line with the token of the gateway and returns what it prints. Its errors contain the error output.
func kn(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return knAs(t.Context(), token, args...)
}

func knAs(ctx context.Context, bearer string, args ...string) (string, error) {
	var out, wrong bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(binaries, "kn-imageflow"), append(args, "--gateway", local.Gateway)...)
	cmd.Env = append(os.Environ(), "GATEWAY_TOKEN="+bearer, "MINIO_SECRET_KEY=imageflow-local")
	cmd.Stdout, cmd.Stderr = &out, &wrong
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, wrong.String())
	}
	return out.String() + wrong.String(), err
}

// upload puts an object into local mode's bucket.
func upload(t *testing.T, key string, data []byte) {
	t.Helper()
	client, err := minio.New(local.S3, &minio.Options{Creds: credentials.NewStaticV4("imageflow", "imageflow-local", "")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.PutObject(t.Context(), "imageflow-files", key, bytes.NewReader(data), int64(len(data)),
		minio.PutObjectOptions{ContentType: "image/jpeg"})
	if err != nil {
		t.Fatal(err)
	}
}

// eventually runs a command line until it prints what the expression matches.
func eventually(t *testing.T, expression string, args ...string) string {
	t.Helper()
	want := regexp.MustCompile(expression)
	for end := time.Now().Add(time.Minute); ; time.Sleep(300 * time.Millisecond) {
		out, err := kn(t, args...)
		if err == nil && want.MatchString(out) {
			return out
		}
		if time.Now().After(end) {
			t.Fatalf("%q prints\n%s%v, want %s", args, out, err, expression)
		}
	}
}

// TestExecutions follows an image through the chain by list, describe and watch.
func TestExecutions(t *testing.T) {
	image, err := os.ReadFile("../images/sample.jpg")
	if err != nil {
		t.Fatal(err)
	}
	var changes lines
	watch := exec.CommandContext(t.Context(), filepath.Join(binaries, "kn-imageflow"), "execution", "watch", "--prefix", "kn/cat",
		"--gateway", local.Gateway)
	watch.Env = append(os.Environ(), "GATEWAY_TOKEN="+token)
	watch.Stdout, watch.Stderr = &changes, &changes
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // a watch has no other sign that it has begun, and shows only later changes
	upload(t, "kn/cat.jpg", image)
	eventually(t, `kn/cat +COMPLETED +resize,detect,filter`, "execution", "list", "--prefix", "kn/", "--status", "completed")
	eventually(t, `(?s)kn/cat +COMPLETED.* imageflow-files +kn/cat.jpg`, "execution", "list", "-o", "wide")
	eventually(t, `^execution.imageflow.dev/kn/cat\n$`, "execution", "list", "--prefix", "kn/cat", "-o", "name")
	eventually(t, `^nothing found\n$`, "execution", "list", "--prefix", "kn/cat", "--status", "failed")
	eventually(t, `(?s)Status: +COMPLETED\nImage: +imageflow-files/kn/cat.jpg\n.*Step: +filter\n +Output: +imageflow-files/kn/cat_`,
		"execution", "describe", "kn/cat")
	eventually(t, `(?s)kind: Execution\n.*status: PROCESSING_STATUS_COMPLETED\n`, "execution", "describe", "kn/cat", "-o", "yaml")
	if out, err := kn(t, "execution", "describe", "kn/none"); err == nil || !strings.Contains(out, "Error: ") {
		t.Errorf("an execution that does not exist: %v\n%s", err, out)
	}
	waitFor(t, &changes, `\d\d:\d\d:\d\d  COMPLETED  kn/cat  resize,detect,filter\n`)
	_ = watch.Process.Signal(os.Interrupt)
	if err := watch.Wait(); err != nil {
		t.Errorf("a watch that is interrupted: %v", err)
	}
}

// TestDeadLetters finds the dead letter of a file that is no image, and sends its event again.
func TestDeadLetters(t *testing.T) {
	upload(t, "kn/text.jpg", []byte("no image"))
	eventually(t, `(?s)EXECUTION +CODE.*kn/text +4\d\d +1 `, "dead-letter", "list", "--prefix", "kn/text")
	eventually(t, `(?s)Status: +FAILED\n.*Fix: .*kn imageflow dead-letter replay 'imageflow-files/kn/text`,
		"execution", "describe", "kn/text")
	id := strings.TrimSpace(eventually(t, `^deadletter.imageflow.dev/.*kn/text`,
		"dead-letter", "list", "--prefix", "kn/text", "-o", "name"))
	for _, by := range [][]string{{id}, {"--execution", "kn/text"}, {"--prefix", "kn/te", "--since", "1h"}} {
		out, err := kn(t, append([]string{"dead-letter", "replay", "--dry-run"}, by...)...)
		if err != nil || !strings.Contains(out, "1 dead letter would be sent again\n") {
			t.Errorf("%q: %v\n%s", by, err, out)
		}
	}
	if out, err := kn(t, "dead-letter", "replay"); err == nil || !strings.Contains(out, "at least one must be given") {
		t.Errorf("a replay of nothing: %v\n%s", err, out)
	}
	const none = "imageflow-files/kn/none/0.json"
	if out, err := kn(t, "dead-letter", "replay", none); err == nil || !strings.Contains(out, "there is no dead letter "+none) {
		t.Errorf("a replay of an id that does not exist: %v\n%s", err, out)
	}
	out, err := kn(t, "dead-letter", "replay", id)
	if err != nil || !strings.Contains(out, "1 dead letter will be sent again\n") {
		t.Errorf("a replay: %v\n%s", err, out)
	}
	eventually(t, `kn/text +4\d\d +2 `, "dead-letter", "list", "--prefix", "kn/text") // it has failed again
}

// TestUploadWatch uploads files and waits until the chain of each has ended; one of them cannot be processed.
func TestUploadWatch(t *testing.T) {
	image, err := os.ReadFile("../images/sample.jpg")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, content := range map[string][]byte{"a.jpg": image, "sub/b b.jpg": image, "c.JPG": image} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	upload := []string{
		"upload", "-r", folder, "--prefix", "kn/up/", "--watch", "--wait", "1m",
		"--store", "http://" + local.S3, "--access-key", "imageflow",
	}
	out, err := kn(t, upload...)
	if err != nil || strings.Count(out, "\nCOMPLETED kn/up/") != 3 ||
		!strings.HasSuffix(out, "3 completed, 0 failed, 0 not ended\n") {
		t.Errorf("three images: %v\n%s", err, out)
	}
	eventually(t, `(?s)kn/up/\S+-b-b +COMPLETED.*kn/up/\S+-a +COMPLETED|kn/up/\S+-a +COMPLETED.*kn/up/\S+-b-b +COMPLETED`,
		"execution", "list", "--prefix", "kn/up/")
	if err := os.WriteFile(filepath.Join(folder, "cut.jpg"), image[:2000], 0o600); err != nil {
		t.Fatal(err)
	}
	out, err = kn(t, upload...)
	failed := regexp.MustCompile(`\nFAILED (kn/up/\S+-cut)  input_image: `).FindStringSubmatch(out)
	if err == nil || failed == nil || !strings.Contains(out, "3 completed, 1 failed, 0 not ended\n") ||
		!strings.HasSuffix(out, "Error: of 4 executions, 1 failed: see kn imageflow dead-letter list\n") {
		t.Fatalf("one that is cut off: %v\n%s", err, out)
	}
	eventually(t, failed[1]+` +4\d\d +1 `, "dead-letter", "list", "--prefix", failed[1])
}

// TestUploadInterrupted: an interrupted wait says that the chains go on.
func TestUploadInterrupted(t *testing.T) {
	var out lines
	upload := exec.CommandContext(t.Context(), filepath.Join(binaries, "kn-imageflow"), "upload", "../images/sample.jpg",
		"--prefix", "thumbnails/", "--watch", "--store", "http://"+local.S3, "--access-key", "imageflow", "--gateway", local.Gateway)
	upload.Env = append(os.Environ(), "GATEWAY_TOKEN="+token, "MINIO_SECRET_KEY=imageflow-local")
	upload.Stdout, upload.Stderr = &out, &out
	if err := upload.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, &out, `uploaded 1 of 1`)
	_ = upload.Process.Signal(os.Interrupt)
	if err := upload.Wait(); err == nil {
		t.Error("an interrupted wait exits with 0")
	}
	waitFor(t, &out, `\nError: interrupted: the chains go on, see kn imageflow execution list\n$`)
}

// TestUploadUnselected: an upload that no Trigger selects is named when the wait is over.
func TestUploadUnselected(t *testing.T) {
	out, err := kn(t, "upload", "../images/sample.jpg", "--prefix", "thumbnails/", "--watch", "--wait", "1s",
		"--store", "http://"+local.S3, "--access-key", "imageflow")
	if err == nil || !regexp.MustCompile(`(?m)^PENDING thumbnails/\S+-sample  its chain has not ended$`).MatchString(out) {
		t.Errorf("got %v\n%s", err, out)
	}
}

// TestToken: without the right token, the error says where it is set.
func TestToken(t *testing.T) {
	out, err := knAs(t.Context(), "another-token-of-a-gateway", "execution", "list")
	if err == nil || !strings.Contains(out, "set GATEWAY_TOKEN") {
		t.Errorf("got %v\n%s", err, out)
	}
}
