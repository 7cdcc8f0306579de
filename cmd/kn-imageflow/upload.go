package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
	"imageflow.dev/internal/objects"
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
		if err := checkPrefix(f.prefix); err != nil {
			return err
		}
		return runs(func(ctx context.Context, args []string) error { return o.upload(ctx, f, args) })(c, args)
	}
	return c
}

// checkPrefix returns an error if no key of an object may begin with a prefix.
func checkPrefix(prefix string) error {
	if strings.HasPrefix(prefix, "/") {
		return fmt.Errorf("--prefix=%q: keys begin with no slash", prefix)
	}
	folders := strings.Split(prefix, "/")
	for _, part := range folders[:len(folders)-1] { // what follows the last slash goes on with the name of a file
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("--prefix=%q: no part of a key between slashes may be empty or one or two dots", prefix)
		}
	}
	if strings.ContainsFunc(prefix, unicode.IsControl) || !utf8.ValidString(prefix) {
		return fmt.Errorf("--prefix=%q: keys are UTF-8 without control characters", prefix)
	}
	return nil
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
		return u.summary(ctx)
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
	return errors.Join(w.wait(ctx, f.wait), u.summary(ctx))
}

// account returns the store and the account of it: the processors', except for what flags name.
func (o *options) account(ctx context.Context, f *uploadFlags) (*cluster.Account, error) {
	a, store := &cluster.Account{}, (*url.URL)(nil)
	if f.store != "" {
		var err error
		instead := "give the access key by --access-key, and the secret key in " + secretKeyVariable
		if store, err = parseServer("store", f.store, instead); err != nil {
			return nil, err
		}
	}
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
		a.Endpoint, a.Secure = store.Host, store.Scheme == "https"
	}
	if f.accessKey != "" {
		a.Service, a.AccessKey, a.SecretKey, a.SecretFrom = "", f.accessKey, os.Getenv(secretKeyVariable), secretKeyVariable
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
