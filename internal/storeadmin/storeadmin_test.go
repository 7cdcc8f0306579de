package storeadmin_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/storeadmin"
	"imageflow.dev/internal/testing/minio"
)

const files, deadLetters = "imageflow-files", "imageflow-dead-letters"

// connect returns a client of the server with the given credentials.
func connect(t *testing.T, s *minio.Server, accessKey, secretKey string) *objects.Store {
	t.Helper()
	store, err := objects.New(objects.Config{Endpoint: s.Address, AccessKey: accessKey, SecretKey: secretKey, Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// administrator returns an admin client once the server can create users, which is
// later than its readiness.
func administrator(t *testing.T, s *minio.Server) *storeadmin.Admin {
	t.Helper()
	admin := &storeadmin.Admin{Endpoint: s.Address, AccessKey: minio.AccessKey, SecretKey: minio.SecretKey, Region: "us-east-1"}
	policy := []byte(`{"Version":"2012-10-17",` +
		`"Statement":[{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::none/*"]}]}`)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		err := admin.SetPolicy(t.Context(), "first", policy)
		if err == nil { // while MinIO loads its policies, it may lose this one
			err = admin.SetUser(t.Context(), "first", "the first secret", "first")
		}
		if err == nil {
			return admin
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// may lists what the policy of each role allows.
var may = map[string][]string{
	"resize": {"read files", "write files"}, "detect": {"read files", "write files"}, "filter": {"read files", "write files"},
	"gateway": {"read files", "read dead letters"},
	"bridge":  {"read files", "read dead letters", "write dead letters", "remove dead letters"},
	"triton":  nil,
}

// setRole gives a role its user and its policy, and returns the user's secret.
func setRole(t *testing.T, admin *storeadmin.Admin, role string) (secret string) {
	t.Helper()
	policy, err := os.ReadFile(filepath.Join("../../config/minio-policies", role+".json"))
	if err != nil {
		t.Fatal(err)
	}
	secret = "the secret of " + role
	for range 2 { // setup may run again
		if err := errors.Join(admin.SetPolicy(t.Context(), "imageflow-"+role, policy),
			admin.SetUser(t.Context(), "imageflow-"+role, secret, "imageflow-"+role)); err != nil {
			t.Fatalf("%s: %v", role, err)
		}
	}
	return secret
}

// The test checks that MinIO denies what a role's policy does not allow. The tests of
// test/scenario, whose deployments use these users, check that each policy allows what
// its role needs.
func TestRolePolicies_denyEverythingElse(t *testing.T) {
	server := minio.Start(t)
	root := connect(t, server, minio.AccessKey, minio.SecretKey)
	for _, bucket := range []string{files, deadLetters, "others"} {
		if _, err := root.MakeBucket(t.Context(), bucket); err != nil {
			t.Fatal(err)
		}
		if _, err := root.Put(t.Context(), bucket, "a.jpg", "image/jpeg", []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	admin := administrator(t, server)
	for role, allowed := range may {
		secret := setRole(t, admin, role)
		store := connect(t, server, "imageflow-"+role, secret)
		for name, bucket := range map[string]string{"files": files, "dead letters": deadLetters, "others": "others"} {
			_, _, readErr := store.Get(t.Context(), bucket, "a.jpg", "", 10)
			_, writeErr := store.Put(t.Context(), bucket, "by-"+role, "image/jpeg", []byte("x"), nil)
			for action, err := range map[string]error{
				"read": readErr, "write": writeErr, "remove": store.Remove(t.Context(), bucket, "by-"+role),
			} {
				want := strings.Contains(strings.Join(allowed, ","), action+" "+name)
				if (err == nil) != want {
					t.Errorf("%s: %s %s: %v", role, action, name, err)
				}
			}
		}
	}
}

// The test creates buckets, policies and users with a user that has only the policy
// setup.json.
func TestSetupPolicy_allowsSetup(t *testing.T) {
	server := minio.Start(t)
	policy, err := os.ReadFile("../../config/minio-policies/setup.json")
	if err != nil {
		t.Fatal(err)
	}
	root := administrator(t, server)
	err = errors.Join(root.SetPolicy(t.Context(), "setup", policy),
		root.SetUser(t.Context(), "setup", "the secret of setup", "setup"))
	if err != nil {
		t.Fatal(err)
	}
	store := connect(t, server, "setup", "the secret of setup")
	for _, bucket := range []string{files, deadLetters} {
		if made, err := store.MakeBucket(t.Context(), bucket); err != nil || !made {
			t.Errorf("%s: %v", bucket, err)
		}
	}
	setup := &storeadmin.Admin{
		Endpoint: server.Address, AccessKey: "setup", SecretKey: "the secret of setup", Region: "us-east-1",
	}
	err = errors.Join(setup.SetPolicy(t.Context(), "p", policy),
		setup.SetUser(t.Context(), "other", "another secret", "setup"))
	if err != nil {
		t.Error(err)
	}
}

func TestSetUser_errorNamesOperation(t *testing.T) {
	server := minio.Start(t)
	err := administrator(t, server).SetUser(t.Context(), "ab", "short", "none")
	if err == nil || !strings.Contains(err.Error(), "add-user") {
		t.Errorf("got %v", err)
	}
}
