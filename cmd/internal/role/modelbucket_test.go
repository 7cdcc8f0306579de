package role_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/testing/stores"
)

// TestDetect_modelsInBucket: detect serves the model of a bucket.
func TestDetect_modelsInBucket(t *testing.T) {
	config, store := stores.Start(t, stores.Local, "imageflow-files", "models")
	for name, value := range map[string]string{
		"HOST": "127.0.0.1", "PORT": "0", "DRAIN_DELAY": "0s", "EVENT_SIGNING_KEYS": signingKey,
		"MINIO_ENDPOINT": config.Endpoint, "MINIO_ACCESS_KEY": config.AccessKey, "MINIO_SECRET_KEY": config.SecretKey,
		"MODEL_REPOSITORY": "s3://models/all/", "MODEL_CACHE": t.TempDir(), "MODEL_BUCKET_POLL": "10ms",
		"MODEL_REPOSITORY_POLL": "10ms",
	} {
		t.Setenv(name, value)
	}
	put := func(model string) {
		err := filepath.Walk(filepath.Join(demoModels, "yolo"), func(name string, info os.FileInfo, err error) error {
			if err != nil || info.IsDir() {
				return err
			}
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			relative, _ := filepath.Rel(filepath.Join(demoModels, "yolo"), name)
			_, err = store.Put(t.Context(), "models", "all/"+model+"/"+filepath.ToSlash(relative), "", data, nil)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	put("yolo")
	address, end := run(t, "detect")
	awaitDetection(t, address, detectBody(t))
	put("second")
	awaitBody(t, "http://"+address+"/v1/models", `"second"`)
	if err := end(); err != nil {
		t.Error(err)
	}
}

// awaitBody waits until the answer of a URL contains a text.
func awaitBody(t *testing.T, url, part string) {
	t.Helper()
	for t.Context().Err() == nil {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil && strings.Contains(string(text), part) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestDetectConfig_repository(t *testing.T) {
	for repository, wrong := range map[string]bool{
		"/models": false, "models": false, "s3://models": false, "s3://models/a/b": false, "s3://": true, "gs://models": true,
	} {
		t.Setenv("MODEL_REPOSITORY", repository)
		c := &role.DetectConfig{}
		if err := role.Load(c); err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(); strings.Contains(err.Error(), "MODEL_REPOSITORY is") != wrong {
			t.Errorf("%s: %v", repository, err)
		}
	}
}
