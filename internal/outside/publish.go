package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A module is one that users get from a proxy: its path, its directory here and the version
// under which it is published.
type module struct {
	path, dir, version string
}

// publish writes the module's files into a proxy's directory, as GOPROXY's protocol has them.
func (m module) publish(proxy string) error {
	dir := filepath.Join(proxy, filepath.FromSlash(m.path), "@v")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	mod, err := m.mod()
	if err != nil {
		return err
	}
	info := fmt.Sprintf(`{"Version":%q,"Time":%q}`, m.version, time.Now().UTC().Format(time.RFC3339))
	for name, content := range map[string]string{
		"list": m.version + "\n", m.version + ".info": info, m.version + ".mod": mod,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return m.zip(filepath.Join(dir, m.version+".zip"), mod)
}

// mod returns the module's go.mod as a release has it: without replace directives.
func (m module) mod() (string, error) {
	content, err := os.ReadFile(filepath.Join(m.dir, "go.mod"))
	if err != nil {
		return "", err
	}
	var kept strings.Builder
	for line := range strings.Lines(string(content)) {
		if !strings.HasPrefix(line, "replace ") {
			kept.WriteString(line)
		}
	}
	return kept.String(), nil
}

// zip writes the module's files, without those of the modules below it.
func (m module) zip(name, mod string) (err error) {
	file, err := os.Create(name) //nolint:gosec // The file is below the program's own directory.
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	archive := zip.NewWriter(file)
	err = filepath.WalkDir(m.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if path != m.dir && m.excludes(path, entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		inside, err := filepath.Rel(m.dir, path)
		if err != nil {
			return err
		}
		inside = filepath.ToSlash(inside)
		content := []byte(mod)
		if inside != "go.mod" {
			if content, err = os.ReadFile(path); err != nil { //nolint:gosec // The file is this repository's.
				return err
			}
		}
		entryWriter, err := archive.Create(m.path + "@" + m.version + "/" + inside)
		if err != nil {
			return err
		}
		_, err = entryWriter.Write(content)
		return err
	})
	return errors.Join(err, archive.Close())
}

// excludes reports whether a directory does not belong to the module's published files.
func (m module) excludes(path, name string) bool {
	if name[0] == '.' || name == "node_modules" {
		return true
	}
	_, err := os.Stat(filepath.Join(path, "go.mod"))
	return err == nil // another module
}

// environment returns the environment of the go command in the modules outside: the proxy
// of files comes first, and the module cache is empty. The modules that this machine has
// downloaded already are the second proxy.
func environment(ctx context.Context, temp, proxy string) ([]string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOPROXY", "GOMODCACHE").Output()
	if err != nil {
		return nil, err
	}
	proxies, cache, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	downloaded := filepath.Join(cache, "cache", "download")
	return append(os.Environ(),
		"GOPROXY=file://"+filepath.ToSlash(proxy)+",file://"+filepath.ToSlash(downloaded)+","+proxies,
		"GOMODCACHE="+filepath.Join(temp, "modules"),
		"GONOSUMDB="+root, "GOFLAGS=-mod=mod -modcacherw", "GOWORK=off",
	), nil
}

// build makes a module of one file, and builds it with the published modules.
func build(ctx context.Context, dir, source, version string, env []string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600); err != nil {
		return err
	}
	// The hashes of the dependencies are those that this repository has checked.
	var sums []byte
	for _, file := range []string{"go.sum", "goredis/go.sum"} {
		content, err := os.ReadFile(file) //nolint:gosec // The names are the program's.
		if err != nil {
			return err
		}
		sums = append(sums, content...)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600); err != nil { //nolint:gosec // The file is in the program's own directory.
		return err
	}
	commands := [][]string{
		{"mod", "init", "example.com/outside"},
		{"mod", "edit", "-require=" + root + "@" + version},
		{"build", "-o", os.DevNull, "."},
	}
	if strings.Contains(source, goredis) {
		commands[1] = append(commands[1], "-require="+goredis+"@"+version)
	}
	for _, arguments := range commands {
		command := exec.CommandContext(ctx, "go", arguments...) //nolint:gosec // Its arguments are this program's.
		command.Dir, command.Env = dir, env
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("go %s: %w\n%s", strings.Join(arguments, " "), err, out)
		}
	}
	return nil
}
