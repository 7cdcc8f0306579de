package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fakekube "k8s.io/client-go/kubernetes/fake"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	fakeserving "knative.dev/serving/pkg/client/clientset/versioned/fake"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
)

// processorOf is the Service of a processor with variables, of which secret ones are in the secret "store".
func processorOf(name, endpoint, maxBytes string) *servingv1.Service {
	fromSecret := func(name, key string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "store"}, Key: key,
		}}}
	}
	s := &servingv1.Service{ObjectMeta: named(name)}
	s.Labels = map[string]string{cluster.ComponentLabel: "processor"}
	s.Spec.Template.Spec.Containers = []corev1.Container{{Name: name, Env: []corev1.EnvVar{
		{Name: "MINIO_ENDPOINT", Value: endpoint}, {Name: "MINIO_BUCKET", Value: "pictures"},
		{Name: "MAX_OBJECT_BYTES", Value: maxBytes},
		fromSecret("MINIO_ACCESS_KEY", "access-key"), fromSecret("MINIO_SECRET_KEY", "secret-key"),
	}}}
	return s
}

// uploadable is a deployment with two processors whose store is at an endpoint.
func uploadable(endpoint string) *cluster.Clients {
	return &cluster.Clients{
		Serving: fakeserving.NewSimpleClientset(
			processorOf("filter-grpc-service", endpoint, "3000"), processorOf("resize-grpc-service", "other:9000", "1000"),
		),
		Kube: fakekube.NewSimpleClientset(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "store", Namespace: "image-processing"},
			Data: map[string][]byte{"access-key": []byte("the-user"), "secret-key": []byte("the-secret")}}),
		Namespace: "image-processing",
	}
}

// puts records the requests to a store that takes each object.
type puts struct {
	mu  sync.Mutex
	all []string
}

func (p *puts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	user := strings.Contains(r.Header.Get("Authorization"), "Credential=the-user/")
	p.all = append(p.all, fmt.Sprintf("%s %s %s %v", r.Method, r.URL.Path, r.Header.Get("Content-Type"), user))
	w.Header().Set("ETag", `"e"`)
}

// folderOf makes a folder with files.
func folderOf(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

const jpegStart = "\xff\xd8\xff\xe0"

// TestUpload: the processors' store gets the images, and what no processor takes is refused with its reason.
func TestUpload(t *testing.T) {
	store := &puts{}
	server := httptest.NewServer(store)
	defer server.Close()
	folder := folderOf(t, map[string]string{
		"a/cat.jpg": jpegStart, "a/b/large.jpg": jpegStart + strings.Repeat("x", 1000), "a/notes.txt": "text", "none.jpg": "",
	})
	clients := uploadable(strings.TrimPrefix(server.URL, "http://"))
	code, out, wrong := call(t, clients, "upload", folder, "-r", folder+"/missing.jpg", "--prefix", "in/")
	for _, want := range []string{
		"uploaded 1 of 1: " + folder + "/a/cat.jpg -> pictures/in/", "-cat.jpg\n",
		"refused " + folder + "/a/b/large.jpg: it has 1004 bytes, but the processors' MAX_OBJECT_BYTES is 1000\n",
		"refused " + folder + "/a/notes.txt: it does not begin like an image\n", "refused " + folder + "/none.jpg: it is empty\n",
		"refused " + folder + "/missing.jpg: no such file or directory\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("got\n%s\nwant %s", out, want)
		}
	}
	if code != 1 || wrong != "Error: of 5 files, 1 uploaded, 4 refused (see --force) and 0 not uploaded\n" {
		t.Errorf("code %d, %s", code, wrong)
	}
	if len(store.all) != 1 || !strings.HasPrefix(store.all[0], "PUT /pictures/in/") ||
		!strings.HasSuffix(store.all[0], "-cat.jpg image/jpeg true") {
		t.Errorf("the store got %q", store.all)
	}
	if code, _, wrong = call(t, clients, "upload", "--force", folder+"/a/notes.txt", folder+"/none.jpg"); code != 0 {
		t.Errorf("with --force: code %d, %s", code, wrong)
	}
	code, out, _ = call(t, clients, "upload", folder)
	if code != 1 || !strings.Contains(out, "it is a folder, which --recursive takes") {
		t.Errorf("a folder: code %d, %s", code, out)
	}
}

// TestUploadRefused: a store that denies access gets one file of each worker at most, and all others are named.
func TestUploadRefused(t *testing.T) {
	var asked puts
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.ServeHTTP(httptest.NewRecorder(), r)
		w.WriteHeader(http.StatusForbidden)
	}))
	defer server.Close()
	files := map[string]string{}
	for i := range 30 {
		files[fmt.Sprintf("%d.jpg", i)] = jpegStart
	}
	code, out, wrong := call(t, uploadable(strings.TrimPrefix(server.URL, "http://")), "upload", "-r", folderOf(t, files))
	if code != 1 || strings.Count(out, "not uploaded ") != 30 || !strings.Contains(wrong, "and 30 not uploaded") {
		t.Errorf("code %d, %s%s", code, out, wrong)
	}
	if len(asked.all) > uploadsAtOnce {
		t.Errorf("the store got %d requests", len(asked.all))
	}
}

// TestUploadWrong: the errors say what is missing.
func TestUploadWrong(t *testing.T) {
	image := folderOf(t, map[string]string{"a.jpg": jpegStart}) + "/a.jpg"
	empty := &cluster.Clients{
		Serving: fakeserving.NewSimpleClientset(), Kube: fakekube.NewSimpleClientset(), Namespace: "image-processing",
	}
	without := uploadable("store:9000")
	without.Kube = fakekube.NewSimpleClientset()
	for _, c := range []struct {
		clients *cluster.Clients
		args    string
		want    string
	}{
		{empty, "", "no Service of a processor is in namespace image-processing; or name the store with --store and --access-key"},
		{without, "", `service filter-grpc-service: MINIO_ACCESS_KEY of container filter-grpc-service: secrets "store" not found`},
		{empty, "--store s3.example.com --access-key me", "--store is \"s3.example.com\" but must be a URL"},
		{empty, "--store http://s3.example.com --access-key me", "--access-key needs the secret key in MINIO_SECRET_KEY"},
		{uploadable("minio.default.svc.cluster.local:9000"), "", `"minio" not found; name an address of the store with --store`},
		{empty, "--store http://me:the-password@s3.example.com", "--store must be a URL without a user; give the access key by"},
		{empty, "--store me:the-password@s3.example.com", "--store must be a URL without a user"},
		{empty, "--store http://s3.example.com?x=1 --access-key me", "must be a URL without a path"},
		{empty, "--prefix ../", "--prefix=\"../\": no part of a key between slashes may be empty or one or two dots"},
		{empty, "--prefix a//b", "--prefix=\"a//b\": no part"}, {empty, "--prefix a\a/", "keys are UTF-8 without control characters"},
		{empty, "--prefix /a", "--prefix=\"/a\": keys begin with no slash"},
	} {
		code, _, wrong := call(t, c.clients, append([]string{"upload", image}, strings.Fields(c.args)...)...)
		if code != 1 || !strings.Contains(wrong, c.want) || strings.Contains(wrong, "the-password") {
			t.Errorf("%s: code %d, %s, want %s", c.args, code, wrong, c.want)
		}
	}
}
