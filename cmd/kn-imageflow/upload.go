package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/uploads"
)

const uploadHelp = `Upload images to the bucket of the deployment, where each begins its chain. An object's key is the
prefix and a name of its own that ends with the name of the file, as the console makes it: nothing is ever replaced. Before
the first upload, files that no step would take are refused: empty ones, larger ones than MAX_OBJECT_BYTES of the processors,
and files that do not begin like an image. All others are uploaded.

The store and an account of it are those of the processors' Services, so the account of the kubeconfig needs to get their
secret. A store in the cluster is reached by a port that the API server forwards. --store names another address; with
--access-key and the secret key in MINIO_SECRET_KEY, no cluster is needed.

With --watch, the command waits until the chain of each image has ended, and prints how. The exit code is 1 if a file was
refused or an image failed or has not ended.`

// What the Services have if their environment does not say it; see cmd/internal/role.
const (
	defaultBucket   = "imageflow-files"
	defaultMaxBytes = 64 << 20
	defaultRegion   = "us-east-1"
)

// secretKeyVariable has the secret key of --access-key.
const secretKeyVariable = "MINIO_SECRET_KEY"

// uploadsAtOnce is the number of files that are uploaded at a time. Each is in memory.
const uploadsAtOnce = 4

// uploadFlags are the flags of the command upload.
type uploadFlags struct {
	bucket, prefix, store, accessKey string
	recursive, watch, force          bool
	wait                             time.Duration
}

func newUpload(o *options) *cobra.Command {
	f := &uploadFlags{}
	c := &cobra.Command{
		Use:   "upload FILE...",
		Short: "Upload images to the bucket, and follow their chains",
		Long:  uploadHelp,
		Example: `  kn imageflow upload cat.jpg dog.png --watch
  kn imageflow upload --recursive photos/ --prefix uploads/summer/`,
		Args: cobra.MinimumNArgs(1),
	}
	flags := c.Flags()
	flags.StringVar(&f.bucket, "bucket", "", "`bucket` of the objects (default the processors')")
	flags.StringVar(&f.prefix, "prefix", "uploads/", "`start` of the objects' keys")
	flags.BoolVarP(&f.recursive, "recursive", "r", false, "also upload the files in folders and in the folders below them")
	flags.BoolVar(&f.watch, "watch", false, "wait until the chain of each image has ended")
	flags.DurationVar(&f.wait, "wait", 10*time.Minute, "maximum `time` of --watch after the last upload")
	flags.BoolVar(&f.force, "force", false, "also upload files that no step would take")
	flags.StringVar(&f.store, "store", "", "`URL` of the object store, such as https://s3.example.com (default the processors')")
	flags.StringVar(&f.accessKey, "access-key", "", "access `key` of the object store, whose secret key is in "+secretKeyVariable+
		" (default the processors')")
	c.RunE = func(c *cobra.Command, args []string) error {
		if f.wait <= 0 {
			return fmt.Errorf("--wait=%s: it must be above 0", f.wait)
		}
		if strings.HasPrefix(f.prefix, "/") {
			return fmt.Errorf("--prefix=%q: keys begin with no slash", f.prefix)
		}
		return runs(func(ctx context.Context, args []string) error { return o.upload(ctx, f, args) })(c, args)
	}
	return c
}

// upload uploads files and, with --watch, follows them.
func (o *options) upload(ctx context.Context, f *uploadFlags, args []string) error {
	account, err := o.account(ctx, f)
	if err != nil {
		return err
	}
	files, refused := fileFilter{account.MaxBytes, f.recursive, f.force}.collect(args)
	u := &uploader{out: o.out, account: account, prefix: f.prefix, of: len(files), refused: len(refused)}
	for _, r := range refused {
		u.say("refused %s: %v", r.path, r.err)
	}
	if len(files) == 0 {
		return errors.New("nothing was uploaded")
	}
	store, stop, err := o.openStore(ctx, account, f.store == "")
	if err != nil {
		return err
	}
	defer stop()
	u.store = store
	if !f.watch {
		u.putAll(ctx, files)
		return u.summary()
	}
	conn, stopGateway, err := o.connectGateway(ctx)
	if err != nil {
		return err
	}
	defer stopGateway()
	w, err := startFollowing(ctx, conn, account.Bucket, f.prefix)
	if err != nil {
		return err
	}
	defer w.stop()
	u.follower, w.uploader = w, u
	u.putAll(ctx, files)
	return errors.Join(w.wait(ctx, f.wait), u.summary())
}

// account returns the store and the account of it: the processors', except for what flags name.
func (o *options) account(ctx context.Context, f *uploadFlags) (*cluster.Account, error) {
	a := &cluster.Account{}
	if f.store == "" || f.accessKey == "" {
		clients, err := o.clients()
		if err == nil {
			a, err = clients.StoreAccount(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("%w; or name the store with --store and --access-key", err)
		}
	}
	if f.store != "" {
		u, err := url.Parse(f.store)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
			return nil, fmt.Errorf("--store is %q but must be a URL without a path, such as https://s3.example.com", f.store)
		}
		a.Endpoint, a.Secure = u.Host, u.Scheme == "https"
	}
	if f.accessKey != "" {
		a.Service, a.AccessKey, a.SecretKey = "", f.accessKey, os.Getenv(secretKeyVariable)
		if a.SecretKey == "" {
			return nil, errors.New("--access-key needs the secret key in " + secretKeyVariable)
		}
	}
	a.Bucket = cmp.Or(f.bucket, a.Bucket, defaultBucket)
	a.MaxBytes, a.Region = cmp.Or(a.MaxBytes, defaultMaxBytes), cmp.Or(a.Region, defaultRegion)
	return a, nil
}

// openStore returns a client of the account's store. One that is a Service of the cluster is reached by a forwarded port.
func (o *options) openStore(ctx context.Context, a *cluster.Account, isOfCluster bool) (*objects.Store, func(), error) {
	config := objects.Config{
		Endpoint: a.Endpoint, AccessKey: a.AccessKey, SecretKey: a.SecretKey, Secure: a.Secure, Region: a.Region,
	}
	stop := func() {}
	if isOfCluster {
		clients, err := o.clients()
		if err != nil {
			return nil, nil, err
		}
		address, stopForward, err := clients.ForwardStore(ctx, a.Endpoint)
		if err != nil {
			return nil, nil, fmt.Errorf("%w; name an address of the store with --store", err)
		}
		stop = stopForward
		if address != "" { // the requests keep the endpoint's name, which their signatures cover
			config.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, address)
			}
		}
	}
	store, err := objects.New(config)
	if err != nil {
		stop()
		return nil, nil, err
	}
	return store, func() {
		store.Close()
		stop()
	}, nil
}

// uploader puts files and says what becomes of each.
type uploader struct {
	account *cluster.Account
	store   *objects.Store
	prefix  string
	// follower follows what is uploaded; nil if nothing does.
	follower *follower
	of       int // files

	mu              sync.Mutex // of out and of the numbers
	out             io.Writer
	put             int
	refused, failed int
}

// say prints a line, without control characters of a terminal.
func (u *uploader) say(format string, args ...any) {
	u.mu.Lock()
	defer u.mu.Unlock()
	_ = printers.WriteEscaped(u.out, fmt.Sprintf(format, args...))
	fmt.Fprintln(u.out)
}

// putAll puts files, some at a time. When the store does not answer or denies access, it puts no more, and names the rest.
func (u *uploader) putAll(ctx context.Context, files []file) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	next := make(chan file)
	var all sync.WaitGroup
	for range uploadsAtOnce {
		all.Go(func() {
			for f := range next {
				err := context.Cause(ctx)
				if err == nil {
					err = u.putOne(ctx, f)
				}
				if err == nil {
					continue
				}
				u.mu.Lock()
				u.failed++
				u.mu.Unlock()
				u.say("not uploaded %s: %v", f.path, err)
				if errors.Is(err, objects.ErrUnavailable) {
					stop(errors.New("the store has refused another file"))
				}
			}
		})
	}
	for _, f := range files {
		next <- f
	}
	close(next)
	all.Wait()
}

// putOne puts a file.
func (u *uploader) putOne(ctx context.Context, f file) error {
	data, err := os.ReadFile(f.path)
	if err != nil {
		return reasonOf(err)
	}
	key := u.prefix + uploads.OwnName(f.path)
	if u.follower != nil { // its events may be faster than the answer
		u.follower.await(execution.ID(key))
	}
	if _, err := u.store.Put(ctx, u.account.Bucket, key, f.contentType, data, nil); err != nil {
		if u.follower != nil {
			u.follower.forget(execution.ID(key))
		}
		return err
	}
	u.mu.Lock()
	u.put++
	n := u.put
	u.mu.Unlock()
	u.say("uploaded %d of %d: %s -> %s/%s", n, u.of, f.path, u.account.Bucket, key)
	return nil
}

// summary returns an error if a file was not uploaded.
func (u *uploader) summary() error {
	if u.refused+u.failed == 0 {
		return nil
	}
	return fmt.Errorf("of %d files, %d were uploaded, %d refused (see --force) and %d not uploaded",
		u.of+u.refused, u.put, u.refused, u.failed)
}
