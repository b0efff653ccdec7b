package scangate

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/scangate/scangate/internal/session"
)

// Ping asks each of the gate's stores once for something that does not exist: State, Users
// and the store of Session.Manager. It returns nil if all of them answer so, and otherwise
// an error that names each store that does not. It changes nothing and makes no call to
// WeChat. Call it for a readiness probe, with a deadline in ctx; a store that ignores its
// context may take longer.
func (g *Gate) Ping(ctx context.Context) error {
	var failed error
	for _, store := range []struct {
		field string
		ask   func(context.Context, string) error
	}{
		{"Config.State", g.pingState},
		{"Config.Users", g.pingUsers},
		{"Config.Session.Manager.Store", g.pingSessions},
	} {
		if err := store.ask(ctx, rand.Text()); !errors.Is(err, ErrNotFound) {
			if err == nil {
				err = errInvented
			}
			failed = both(wrap(store.field, err), failed)
		}
	}
	return publicError(failed)
}

func (g *Gate) pingState(ctx context.Context, id string) error {
	if shards, ok := g.config.State.(*shardedState); ok {
		return shards.ping(ctx, id)
	}
	_, _, err := g.state.Load(ctx, "ping:"+id)
	return err
}

// pingUsers looks for an identity. The IDs of an application's users may be numbers, as
// which its database cannot read a random text.
func (g *Gate) pingUsers(ctx context.Context, id string) error {
	appID := g.config.OfficialAccount.AppID
	setDefault(&appID, g.config.Website.AppID)
	setDefault(&appID, g.config.MiniProgram.AppID)
	_, err := g.registrar.users.FindByWeChat(ctx, Identity{AppID: appID, OpenID: id})
	return err
}

func (g *Gate) pingSessions(ctx context.Context, id string) error {
	if shards, ok := g.auth.sessions.manager.Store.(*session.Shards); ok {
		return pingAll(len(shards.Servers), func(i int) error { return missing(shards.FindOn(i, id)) })
	}
	return missing(g.auth.sessions.manager.Has(ctx, id))
}

// missing returns err, or ErrNotFound if there is neither an error nor a record.
func missing(found bool, err error) error {
	if err == nil && !found {
		err = ErrNotFound
	}
	return err
}
