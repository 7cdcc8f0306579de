package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/minio/minio-go/v7"

	realminio "imageflow.dev/internal/testing/minio"
	"imageflow.dev/internal/testing/plainproxy"
)

// store is a running S3 server without notifications, with one account.
type store struct {
	address, accessKey, secretKey string
	settings                      []string // of ImageFlow, for what the store lacks
}

// sweepingAll is the environment of a bridge with a store without notifications.
var sweepingAll = append([]string{"SWEEP_SHARE=1"}, sweeping...)

// testedStore returns the store in the variable TEST_STORE, or a MinIO behind a proxy that has neither tags nor
// conditional writes. hack/stores-test.sh sets the variable.
func testedStore(t *testing.T) *store {
	t.Helper()
	text := os.Getenv("TEST_STORE")
	if text == "" {
		return &store{
			plainproxy.Start(t, realminio.Start(t).Address), realminio.AccessKey, realminio.SecretKey,
			[]string{"STORE_NOTIFICATIONS=false", "STORE_TAGS=false", "STORE_CONDITIONAL_WRITES=false"},
		}
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	s := &store{address: u.Host, accessKey: u.User.Username(), settings: []string{"STORE_NOTIFICATIONS=false"}}
	s.secretKey, _ = u.User.Password()
	for name := range u.Query() {
		if strings.HasPrefix(name, "STORE_") {
			s.settings = append(s.settings, name+"=false")
		}
	}
	return s
}

// settingsOf returns the settings for a store, which is nil if it needs none.
func (s *store) settingsOf() []string {
	if s == nil {
		return nil
	}
	return slices.Clone(s.settings)
}

// useStore prepares the other store. It removes what earlier runs left there.
func (d *deployment) useStore(t testing.TB) {
	t.Helper()
	d.addresses["s3"] = d.other.address
	d.s3 = client(t, d.other.address, d.other.accessKey, d.other.secretKey)
	d.command(t, "setup", "imageflow", "setup")
	for _, bucket := range []string{bucket, "imageflow-dead-letters"} {
		for _, key := range d.keysOf(t, bucket, "") {
			if err := d.s3.RemoveObject(context.Background(), bucket, key, minio.RemoveObjectOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	d.command(t, "bridge", "imageflow", "setup", "--check")
}

// TestStore runs the event path with a store that has only what config/README.md demands.
func TestStore(t *testing.T) {
	d := deploy(t, setup{
		store: testedStore(t), flags: []string{"--eventing", "eventing,eventing/examples"},
		env: []string{"MAX_IMAGE_PIXELS=2000000", "SWEEP_INTERVAL=0"},
	})
	t.Run("backfill", d.checkBackfill)
	t.Run("once", d.checkRepeated)
	d.env = append(d.env, sweepingAll...)
	d.parts["bridge"].restart(t)
	t.Run("chain", d.checkChain)
	t.Run("branches", d.checkBranches)
	t.Run("replaced", d.checkReplaced)
	t.Run("replay", d.checkReplay)
	t.Run("lists", d.checkLists)
	d.stopAll(t)
}

// statusOf returns the status of an execution as the gateway reports it, without its prefix.
func (s *system) statusOf(t testing.TB, id string) string {
	t.Helper()
	resp, err := http.Get(s.url("gateway", "/v1/executions/"+url.PathEscape(id)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var report struct{ Status string }
	if err := json.NewDecoder(resp.Body).Decode(&report); err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(report.Status, "PROCESSING_STATUS_")
}

// awaitStatus waits until the gateway reports the status of an execution.
func (s *system) awaitStatus(t testing.TB, id, status string) {
	t.Helper()
	eventually(t, id+" to be "+status, func() bool { return s.statusOf(t, id) == status })
}

func (d *deployment) checkChain(t *testing.T) {
	for key, id := range map[string]string{
		"swept/cat.jpg": "swept/cat", "swept/Straße & Meer/日本 +1.jpg": "swept/Straße & Meer/日本 +1",
	} {
		d.put(t, key, "image/jpeg", jpegOf(t, 1200, 1200))
		d.awaitStatus(t, id, "COMPLETED")
		for _, step := range []string{"resize", "ai-detection", "filter"} {
			if got := d.size(t, id+"_"+step+".jpg"); got != image.Pt(600, 600) {
				t.Errorf("%s of %s is %v, want 600×600", step, id, got)
			}
		}
	}
}

func (d *deployment) checkBranches(t *testing.T) {
	d.put(t, "renditions/cat.jpg", "image/jpeg", jpegOf(t, 1600, 1200))
	d.awaitStatus(t, "renditions/cat", "COMPLETED")
	d.checkLeaves(t, "renditions/cat")
}

// checkReplaced replaces an upload at once, and when its chain has ended.
func (d *deployment) checkReplaced(t *testing.T) {
	for i := range 4 {
		d.put(t, keyOf(3), "image/jpeg", plainJPEG(t, 1000, 800, colourOf(i)))
		if i == 2 {
			d.awaitStatus(t, "crash/0003", "COMPLETED")
		}
	}
	eventually(t, "the outputs of the last version", func() bool {
		return d.statusOf(t, "crash/0003") == "COMPLETED" &&
			d.metadata(t, "crash/0003_filter.jpg")["Imageflow-Origin-Etag"] == d.etag(t, keyOf(3))
	})
	d.checkColour(t, 3)
}

// checkReplay has an image that is too large until it is replayed.
func (d *deployment) checkReplay(t *testing.T) {
	d.putHuge(t, "uploads/huge.jpg")
	d.awaitStatus(t, "uploads/huge", "FAILED")
	if got := d.deadLetters(t); len(got) != 1 || !strings.Contains(got["uploads/huge.jpg"].Reason, "pixels") {
		t.Errorf("dead letters: %+v", got)
	}
	d.env = append(d.env, "MAX_IMAGE_PIXELS=50000000")
	d.parts["resize"].restart(t)
	d.command(t, "bridge", "imageflow", "replay", "--all")
	d.awaitStatus(t, "uploads/huge", "COMPLETED")
	eventually(t, "the dead letter to be gone", func() bool { return len(d.deadLetterKeys(t)) == 0 })
}

// storeArchive is the number of images of the backfill.
const storeArchive = 24

// backfillArchive starts a backfill of the archive.
func (d *deployment) backfillArchive(t *testing.T, args ...string) *backfill {
	env := append(d.environment("bridge"), "EVENT_SIGNING_KEYS="+signingKey)
	return startBackfill(t, env, append([]string{"--in-flight", "4"}, args...)...)
}

// checkBackfill stops a backfill and continues it.
func (d *deployment) checkBackfill(t *testing.T) {
	d.putArchive(t, storeArchive)
	first := d.backfillArchive(t)
	d.awaitStatus(t, "archive/000004", "COMPLETED")
	if code, out := first.end(t, syscall.SIGTERM); code == 0 {
		t.Errorf("the stopped run ends with %d: %s", code, out)
	}
	if code, out := d.backfillArchive(t, "--resume").end(t, 0); code != 0 || !strings.Contains(out, " 0 failed, 0 without") {
		t.Errorf("the resumed run ends with %d: %s", code, out)
	}
	for i := range storeArchive {
		d.awaitStatus(t, strings.TrimSuffix(archived(i), ".jpg"), "COMPLETED")
	}
}

// checkRepeated sends the events of the archive again. No output is written again.
func (d *deployment) checkRepeated(t *testing.T) {
	outputs := func() (all []string) {
		for o := range d.s3.ListObjects(t.Context(), bucket, minio.ListObjectsOptions{Prefix: "archive/", Recursive: true}) {
			all = append(all, fmt.Sprint(o.Key, " ", o.ETag, " ", o.LastModified, o.Err))
		}
		return all
	}
	before := outputs()
	if code, out := d.backfillArchive(t, "--again").end(t, 0); code != 0 {
		t.Errorf("the repeated run ends with %d: %s", code, out)
	}
	if after := outputs(); len(before) != 6*storeArchive || !slices.Equal(after, before) {
		t.Errorf("before: %q, after: %q", before, after)
	}
}

// checkLists lists the completed executions of some uploads in pages.
func (d *deployment) checkLists(t *testing.T) {
	const uploads = 7
	for i := range uploads {
		d.put(t, fmt.Sprintf("lists/%d.jpg", i), "image/jpeg", plainJPEG(t, 120, 90, colourOf(i)))
	}
	eventually(t, "all executions to be in the list", func() bool { return len(d.listCompleted(t, "lists/", 3)) == uploads })
}

// listCompleted returns the ids of the completed executions with a prefix, from pages of a size.
func (s *system) listCompleted(t *testing.T, prefix string, size int) (ids []string) {
	t.Helper()
	query := url.Values{"prefix": {prefix}, "page_size": {fmt.Sprint(size)}, "status": {"PROCESSING_STATUS_COMPLETED"}}
	for isFirst := true; isFirst || query.Get("page_token") != ""; isFirst = false {
		resp, err := http.Get(s.url("gateway", "/v1/executions?"+query.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Executions []struct {
				ID string `json:"execution_id"`
			}
			Next string `json:"next_page_token"`
		}
		err = json.NewDecoder(resp.Body).Decode(&page)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status, err)
		}
		for _, e := range page.Executions {
			ids = append(ids, e.ID)
		}
		query.Set("page_token", page.Next)
	}
	return ids
}
