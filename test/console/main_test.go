// Package console_test uses the pages of the console as people do, in a real Chromium.
package console_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"imageflow.dev/test/localmode"
)

// root is the folder of the repository, seen from here.
var root = filepath.Join("..", "..")

// binaries is the folder of the commands, built for these tests.
var binaries string

// browser is the context of the Chromium that all tests share; nil if this machine has none.
var browser context.Context

func TestMain(m *testing.M) {
	os.Exit(func() int {
		path, err := exec.LookPath("chromium")
		if err != nil {
			return m.Run() // every test skips itself
		}
		if binaries, err = os.MkdirTemp("", "imageflow-console-"); err != nil {
			panic(err)
		}
		defer os.RemoveAll(binaries)
		build := exec.Command("go", "build", "-o", binaries+"/", "./cmd/imageflow", "./cmd/imageflow-local")
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Printf("%s%v\n", out, err)
			return 1
		}
		stop, err := startBrowser(path)
		if err != nil {
			fmt.Println("Chromium does not start:", err)
			return 1
		}
		defer stop()
		return m.Run()
	}())
}

func startBrowser(path string) (stop func(), err error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(1200, 900))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to run as root with its sandbox
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	browser, _ = chromedp.NewContext(allocator)
	return stop, chromedp.Do(browser)
}

// needsBrowser skips a test on a machine without Chromium.
func needsBrowser(t testing.TB) {
	t.Helper()
	if browser == nil {
		t.Skip("Chromium is not installed (make console-test installs it)")
	}
}

// local starts local mode with more settings, for one test.
func local(t testing.TB, env []string, args ...string) *site {
	t.Helper()
	needsBrowser(t)
	if *deployed != "" {
		t.Skip("needs a system of its own")
	}
	command, err := filepath.Abs(filepath.Join(binaries, "imageflow-local"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(command, args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), env...)
	system, err := localmode.StartCommand(cmd, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(system.Stop)
	return &site{url: system.Gateway, s3: system.S3, accessKey: "imageflow", secretKey: "imageflow-local"}
}
