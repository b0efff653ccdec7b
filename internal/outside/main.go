// Command outside builds the application of README.md, and one that uses goredis, in a
// module outside of this repository, as a user would.
//
//	go run ./internal/outside
//
// Inside the repository, replace directives hide a missing file, a wrong version in
// goredis/go.mod, and a dependency that only a go.sum here has. The program therefore makes
// a module proxy of files, which has this repository's two published modules with the
// version that goredis/go.mod requires of the root, and builds with that proxy, an empty
// module cache and no replace directive.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	root    = "github.com/scangate/scangate"
	goredis = root + "/goredis"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "outside:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	temp, err := os.MkdirTemp("", "outside")
	if err != nil {
		return err
	}
	defer func() {
		if removed := os.RemoveAll(temp); err == nil {
			err = removed
		}
	}()
	version, err := required("goredis/go.mod")
	if err != nil {
		return err
	}
	proxy := filepath.Join(temp, "proxy")
	for _, m := range []module{{root, ".", version}, {goredis, "goredis", version}} {
		if err := m.publish(proxy); err != nil {
			return fmt.Errorf("%s: %w", m.path, err)
		}
	}
	env, err := environment(ctx, temp, proxy)
	if err != nil {
		return err
	}
	applications, err := applications()
	if err != nil {
		return err
	}
	for name, source := range applications {
		dir := filepath.Join(temp, name)
		if err := build(ctx, dir, source, version, env); err != nil {
			return fmt.Errorf("application %s: %w", name, err)
		}
		fmt.Printf("%s builds with %s@%s\n", name, root, version)
	}
	return nil
}

// required returns the version of the root module that a go.mod requires.
func required(file string) (string, error) {
	content, err := os.ReadFile(file) //nolint:gosec // The caller names the file.
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(content)) {
		if fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require ")); len(fields) == 2 && fields[0] == root {
			return fields[1], nil
		}
	}
	return "", fmt.Errorf("%s does not require %s", file, root)
}

// applications returns the applications to build, by name: the complete one of README.md,
// and one that keeps everything in Redis over go-redis.
func applications() (map[string]string, error) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		return nil, err
	}
	source, err := complete(string(readme))
	return map[string]string{"readme": source, "goredis": overGoRedis}, err
}

// complete returns the first complete program among a document's blocks of Go.
func complete(document string) (string, error) {
	for _, block := range strings.Split(document, "\n```go\n")[1:] {
		code, _, _ := strings.Cut(block, "\n```")
		if strings.HasPrefix(code, "package main\n") {
			return code + "\n", nil
		}
	}
	return "", errors.New("README.md contains no complete program")
}

const overGoRedis = `package main

import (
	"log"
	"net/http"
	"os"

	"github.com/redis/go-redis/v9"
	"github.com/scangate/scangate"
	"github.com/scangate/scangate/goredis"
	"github.com/scangate/scangate/wechat"
)

func main() {
	store, err := goredis.New(goredis.Options{Redis: redis.UniversalOptions{Addrs: []string{"127.0.0.1:6379"}}})
	if err != nil {
		log.Fatal(err)
	}
	gate, err := scangate.New(scangate.Config{
		PublicURL:       "https://app.example.com",
		OfficialAccount: wechat.Account{AppID: "wx0123456789abcdef", Secret: os.Getenv("WECHAT_SECRET")},
		State:           store,
	})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(":8080", gate))
}
`
