package main

import (
	"database/sql"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

func TestProfile(t *testing.T) {
	db, _, err := openDatabase(filepath.Join(t.TempDir(), "profiles.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE profiles (user_id TEXT PRIMARY KEY, nickname TEXT NOT NULL, created_at TIMESTAMP NOT NULL)`); err != nil {
		t.Fatal(err)
	}
	weChat := wechattest.NewServer(t, simulatedApp)
	server := httptest.NewUnstartedServer(nil)
	t.Cleanup(server.Close)
	address := "http://" + server.Listener.Addr().String()
	config := scangate.Config{PublicURL: address, OfficialAccount: weChat.Account(), WeChat: scangate.WeChat{Endpoint: weChat.Endpoint()}}
	withProfile(&config, db)
	gate, err := scangate.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gate.Close() })
	mux := http.NewServeMux()
	mux.Handle("/wechat/", gate)
	mux.Handle("/", gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := scangate.UserFromContext(r.Context())
		var found string
		if err := db.QueryRowContext(r.Context(), `SELECT user_id FROM profiles WHERE user_id = $1`, user.ID).Scan(&found); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})))
	server.Config.Handler = mux
	server.Start()
	for range 2 { // the second login finds the row
		client := newClient(t)
		weChat.LogIn(t, client, address+"/", "lin")
		resp, err := client.Get(address + "/")
		if err != nil {
			t.Fatal(err)
		}
		page, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("page of a user: status = %d, body = %s, %v, want 200", resp.StatusCode, page, err)
		}
	}
	var rows int
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM profiles`).Scan(&rows); err != nil || rows != 1 {
		t.Errorf("profiles = %d, %v, want 1", rows, err)
	}
	_ = db.Close()
	if err := config.OnLogin(t.Context(), scangate.Login{}); err == nil || errors.Is(err, sql.ErrNoRows) {
		t.Errorf("OnLogin without a database: %v, want an error that refuses the login", err)
	}
}
