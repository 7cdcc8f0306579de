package triton

import (
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// modelPy runs an ONNX file on Triton's Python backend, the only backend in the
// distribution of Triton on PyPI.
//
//go:embed model.py
var modelPy []byte

// startBinary starts the Triton that `make triton` installed in home.
func startBinary(t testing.TB, home, address, repository string) (stop func(), err error) {
	models := t.TempDir()
	if err := adapt(models, repository); err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "triton.log"))
	if err != nil {
		return nil, err
	}
	shared := "imageflow-" + port
	cmd := exec.Command(filepath.Join(home, "tritonserver"),
		"--model-repository", models, "--exit-on-error=false", "--backend-directory", filepath.Join(home, "backends"),
		"--grpc-address", host, "--grpc-port", port, "--allow-http=false", "--allow-metrics=false",
		"--backend-config=python,shm-region-prefix-name="+shared)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(home, "venv", "bin")+":"+os.Getenv("PATH"),
		"PYTHONPATH="+filepath.Join(home, "packages"), "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // stop also ends its Python processes
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		left, _ := filepath.Glob("/dev/shm/" + shared + "*")
		for _, file := range left {
			_ = os.Remove(file)
		}
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("Triton's log:\n%s", text)
		}
		_ = log.Close()
	}, nil
}

// adapt copies a repository and changes it for a server without ONNX Runtime.
func adapt(to, repository string) error {
	if err := os.CopyFS(to, os.DirFS(repository)); err != nil {
		return err
	}
	configs, err := filepath.Glob(filepath.Join(to, "*", "config.pbtxt"))
	if err != nil {
		return err
	}
	for _, file := range configs {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		const backend = `backend: "onnxruntime"`
		if !strings.Contains(string(text), backend) {
			return fmt.Errorf("%s: the backend is missing", file)
		}
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), backend, `backend: "python"`, 1)), 0o600); err != nil {
			return err
		}
		versions, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*", "model.onnx"))
		if err != nil {
			return err
		}
		for _, version := range versions {
			if err := os.WriteFile(filepath.Join(filepath.Dir(version), "model.py"), modelPy, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}
