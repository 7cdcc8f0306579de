package overlay

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// apiServer starts etcd and a kube-apiserver without controllers: the programs ETCD and KUBE_APISERVER.
func apiServer(t *testing.T) *Applier {
	t.Helper()
	etcd, server := os.Getenv("ETCD"), os.Getenv("KUBE_APISERVER")
	if etcd == "" || server == "" {
		t.Skip("needs the programs of Kubernetes: ETCD and KUBE_APISERVER, such as those of a test cluster")
	}
	folder := t.TempDir()
	key, tokens := filepath.Join(folder, "key.pem"), filepath.Join(folder, "tokens.csv")
	writeKey(t, key)
	const token = "token-of-the-test"
	if err := os.WriteFile(tokens, []byte(token+`,test,test,"system:masters"`), 0o600); err != nil {
		t.Fatal(err)
	}
	client, peer, port := "http://127.0.0.1:"+freePort(t), "http://127.0.0.1:"+freePort(t), freePort(t)
	start(t, etcd, "--data-dir", filepath.Join(folder, "etcd"), "--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer)
	start(t, server, "--etcd-servers", client, "--bind-address", "127.0.0.1", "--secure-port", port,
		"--cert-dir", filepath.Join(folder, "certs"), "--service-account-key-file", key, "--service-account-signing-key-file", key,
		"--service-account-issuer", "https://kubernetes.default.svc", "--authorization-mode", "RBAC", "--token-auth-file", tokens,
		"--service-cluster-ip-range", "10.96.0.0/16", "--disable-admission-plugins", "ServiceAccount")
	config := &rest.Config{Host: "https://127.0.0.1:" + port, BearerToken: token}
	config.TLSClientConfig.Insecure = true
	kinds := discovery.NewDiscoveryClientForConfigOrDie(config)
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		_, err := kinds.RESTClient().Get().AbsPath("/readyz").DoRaw(t.Context())
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the API server is not ready: %v", err)
		}
	}
	a, err := NewApplier(config)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// start starts a program, which ends with the test.
func start(t *testing.T, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

// writeKey writes the key that signs the tokens of service accounts.
func writeKey(t *testing.T, path string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
