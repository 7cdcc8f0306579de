package storeadmin_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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

func administrator(s *minio.Server) *storeadmin.Admin {
	return &storeadmin.Admin{Endpoint: s.Address, AccessKey: minio.AccessKey, SecretKey: minio.SecretKey, Region: "us-east-1"}
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
		if err := admin.SetUser(t.Context(), "imageflow-"+role, secret, "imageflow-"+role, policy); err != nil {
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
	admin := administrator(server)
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
	root := administrator(server)
	if err := root.SetUser(t.Context(), "setup", "the secret of setup", "setup", policy); err != nil {
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
	if err := setup.SetUser(t.Context(), "other", "another secret", "p", policy); err != nil {
		t.Error(err)
	}
}

func TestSetUser_errorNamesOperation(t *testing.T) {
	server := minio.Start(t)
	policy := []byte(`{"Version":"2012-10-17",` +
		`"Statement":[{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::none/*"]}]}`)
	err := administrator(server).SetUser(t.Context(), "ab", "short", "none", policy)
	if err == nil || !strings.Contains(err.Error(), "add-user") {
		t.Errorf("got %v", err)
	}
}
