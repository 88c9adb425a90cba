//! Profiles and appearance from the file system: search path, trust, and the way on when something is broken.

use super::KNOWN;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use watchkeeper::config::{
    Depth, Intent, ProfileRef, SearchPath, Trust, load_keymap, load_or_host, load_profile, load_theme,
};

/// A user's folder and a system's, trusted all the way up.
struct Home {
    user: TempDir,
    system: TempDir,
}

impl Home {
    fn new() -> Self {
        let folder = || {
            tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir_in("/tmp").expect("a folder")
        };
        Self { user: folder(), system: folder() }
    }

    fn search(&self) -> SearchPath {
        SearchPath { folders: vec![self.user.path().into(), self.system.path().into()], guest: None }
    }

    fn named(&self, name: &str) -> Result<watchkeeper::config::Profile, String> {
        load_profile(&ProfileRef::Named(name.into()), &self.search(), &KNOWN).map_err(|fault| fault.to_string())
    }
}

fn put(folder: &Path, relative: &str, text: &str) -> PathBuf {
    let file = folder.join(relative);
    fs::create_dir_all(file.parent().expect("a parent")).expect("folders");
    fs::write(&file, text).expect("writes");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("sets the mode");
    let mut folder = file.parent();
    while let Some(way) = folder.filter(|way| *way != Path::new("/tmp")) {
        fs::set_permissions(way, Permissions::from_mode(0o755)).expect("sets the mode");
        folder = way.parent();
    }
    file
}

#[test]
fn the_user_comes_before_the_system_before_the_binary() {
    let home = Home::new();
    assert_eq!(home.named("host").expect("built in").path, None);
    put(home.system.path(), "profiles/host/profile.toml", "title = \"system\"\n");
    assert_eq!(home.named("host").expect("loads").title.as_str(), "system");
    let file = put(home.user.path(), "profiles/host/profile.toml", "title = \"user\"\n");
    let profile = home.named("host").expect("loads");
    assert_eq!((profile.title.as_str(), profile.path), ("user", Some(file)));
}

#[test]
fn a_users_own_host_can_extend_the_built_in_one() {
    let home = Home::new();
    put(home.user.path(), "profiles/host/profile.toml", "title = \"mine\"\nextends = [\"host\"]\n");
    let profile = home.named("host").expect("loads");
    assert_eq!(profile.faults, []);
    assert_eq!((profile.title.as_str(), profile.environment.as_str()), ("mine", "unset"), "neither is inherited");
    assert!(!profile.screen.panes.is_empty());
}

#[test]
fn circles_and_depth_end_in_a_sentence() {
    let home = Home::new();
    let user = home.user.path();
    put(user, "profiles/a/profile.toml", "extends = [\"b\"]\n[samplers.a]\nkind = \"http\"\n");
    put(user, "profiles/b/profile.toml", "extends = [\"c\"]\n[samplers.b]\nkind = \"http\"\n");
    let third = "extends = [\"host\",\n  \"a\"]\n[samplers.c]\nkind = \"http\"\n";
    put(user, "profiles/c/profile.toml", third);
    put(user, "profiles/host/profile.toml", "");
    let profile = home.named("a").expect("loads");
    let said: Vec<String> = profile.faults.iter().map(ToString::to_string).collect();
    let place = user.join("profiles/c/profile.toml:2:3");
    let round =
        "`a` extends itself, `a` by way of `b` by way of `c` by way of `a`; it is left out. Take `a` out of this list.";
    assert_eq!(said, [format!("{}: {round}", place.display())]);
    assert_eq!(profile.samplers.len(), 3);

    for level in 0..6 {
        let text = format!("extends = [\"d{}\"]\n[samplers.s{level}]\nkind = \"http\"\n", level + 1);
        put(user, &format!("profiles/d{level}/profile.toml"), &text);
    }
    let profile = home.named("d0").expect("loads");
    let names: Vec<&str> = profile.samplers.iter().map(|sampler| &*sampler.name).collect();
    assert_eq!(names, ["s4", "s3", "s2", "s1", "s0"], "four below the first");
    assert!(profile.faults.first().is_some_and(|fault| fault.to_string().contains("`d5`")), "{:?}", profile.faults);
}

#[test]
fn a_base_that_is_missing_says_what_was_meant_or_where_it_belongs() {
    let home = Home::new();
    let user = home.user.path();
    put(user, "profiles/orders/profile.toml", "");
    // `src` lies in the folder in which tests run.
    put(user, "profiles/a/profile.toml", "extends = [\"genesiss\", \"order\",\n \"src\", \"./src\"]\n");
    let faults = home.named("a").expect("loads").faults;
    let said: Vec<String> =
        faults.iter().map(|fault| fault.to_string().replace(&user.display().to_string(), "")).collect();
    let looked = format!("Looked in /profiles, {}/profiles and among the built-in ones.", home.system.path().display());
    let missing = |name: &str| format!("`{name}` cannot be extended: there is no profile `{name}`.");
    assert_eq!(
        said,
        [
            format!("/profiles/a/profile.toml:1:12: {} Did you mean `genesis`? {looked}", missing("genesiss")),
            format!("/profiles/a/profile.toml:1:24: {} Did you mean `orders`? {looked}", missing("order")),
            format!("/profiles/a/profile.toml:2:2: {} {looked} The one here must be put into /profiles.", missing("src")),
            "/profiles/a/profile.toml:2:9: `./src` cannot be extended: a profile is extended by its name, not by its path. \
             Put its folder into /profiles and write \"src\"."
                .to_owned(),
        ]
    );
}

#[test]
fn a_profile_that_two_bases_share_comes_once() {
    let home = Home::new();
    let user = home.user.path();
    for (name, text) in
        [("a", "extends = [\"b\", \"c\"]\n"), ("b", "extends = [\"host\"]\n"), ("c", "extends = [\"host\"]\n")]
    {
        put(user, &format!("profiles/{name}/profile.toml"), text);
    }
    let profile = home.named("a").expect("loads");
    let host = home.named("host").expect("loads");
    assert_eq!((profile.screen.panes.len(), profile.faults), (host.screen.panes.len(), Vec::new()));
}

#[test]
fn an_untrusted_profile_shows_and_does_not_act() {
    let home = Home::new();
    let text = "[samplers.web]\nkind = \"http\"\n[actions.edit]\nkind = \"config_edit\"\n";
    let file = put(home.user.path(), "profiles/web/profile.toml", text);
    assert_eq!(home.named("web").expect("loads").trust, Trust::Trusted);
    fs::set_permissions(&file, Permissions::from_mode(0o666)).expect("sets the mode");
    let profile = home.named("web").expect("loads");
    assert_eq!((profile.samplers.len(), profile.actions.len()), (1, 1));
    let Trust::DisplayOnly(why) = &profile.trust else { panic!("trusted") };
    let name = file.display();
    let said = format!(
        "{name}: others may write to this file (mode 0666). The profile's actions are for display only. Mend it: chmod go-w {name}"
    );
    assert_eq!(why.to_string(), said);
    assert_eq!(profile.faults, core::slice::from_ref(why));

    // What an untrusted file says through `extends` is not trusted either.
    put(home.user.path(), "profiles/above/profile.toml", "extends = [\"web\"]\n");
    assert!(matches!(home.named("above").expect("loads").trust, Trust::DisplayOnly(_)));
}

#[test]
fn the_console_always_has_a_profile() {
    let home = Home::new();
    let broken = put(home.user.path(), "broken.toml", "[samplers\n");
    let syntax = format!("{}:1:10: ", broken.display());
    let missing = PathBuf::from("/nowhere/profile.toml");
    for (which, said) in [
        (ProfileRef::Path(broken), syntax.as_str()),
        (ProfileRef::Path(missing), "/nowhere/profile.toml: there is no such file. "),
        (ProfileRef::Path("/dev/null".into()), "/dev/null: this is not a regular file. "),
        (ProfileRef::Path(home.user.path().into()), "profile.toml: there is no such file. "),
        (ProfileRef::Named("nothing".into()), "there is no profile `nothing`. Looked in /"),
        (ProfileRef::Named("../../etc".into()), "`../../etc` cannot be a name. "),
        (ProfileRef::Builtin("hots".into()), "there is no built-in profile `hots`. Did you mean `host`?"),
    ] {
        let profile = load_or_host(&which, &home.search(), &KNOWN);
        assert_eq!(profile.name, "host");
        assert!(!profile.screen.panes.is_empty());
        let first = profile.faults.first().map(ToString::to_string).unwrap_or_default();
        assert!(first.contains(said), "{first} for {said}");
    }
}

#[test]
fn a_path_may_be_a_folder_or_a_file() {
    let home = Home::new();
    let file = put(home.user.path(), "norse/profile.toml", "environment = \"production\"\n");
    for path in [file.clone(), home.user.path().join("norse")] {
        let profile = load_profile(&ProfileRef::Path(path), &home.search(), &KNOWN).expect("loads");
        assert_eq!((profile.name.as_str(), profile.path), ("norse", Some(file.clone())));
    }
    let other = put(home.user.path(), "db.toml", "");
    let profile = load_profile(&ProfileRef::Path(other), &home.search(), &KNOWN).expect("loads");
    assert_eq!((profile.name.as_str(), profile.title.as_str()), ("db", "db"));
}

#[test]
fn the_search_path_follows_the_environment() {
    let folders = |pairs: &[(&str, &str)]| {
        let pairs: Vec<(String, String)> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let search = SearchPath::detect(&|name| pairs.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()));
        (search.folders, search.guest)
    };
    let paths = |texts: &[&str]| texts.iter().map(PathBuf::from).collect::<Vec<_>>();
    assert_eq!(
        folders(&[("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")]),
        (paths(&["/x/watchkeeper", "/etc/watchkeeper"]), None)
    );
    assert_eq!(folders(&[("HOME", "/h")]), (paths(&["/h/.config/watchkeeper", "/etc/watchkeeper"]), None));
    assert_eq!(
        folders(&[("XDG_CONFIG_HOME", "relative"), ("SUDO_UID", "1000")]),
        (paths(&["/etc/watchkeeper"]), Some(1000))
    );
}

#[test]
fn a_theme_of_the_users_own_lies_over_what_it_inherits() {
    let home = Home::new();
    put(home.user.path(), "themes/night.toml", "inherits = \"default\"\n[ansi16]\ncritical = \"magenta\"\n");
    let (theme, faults) = load_theme("night", Depth::Ansi16, &home.search());
    assert_eq!(faults, []);
    let (default, _) = load_theme("default", Depth::Ansi16, &home.search());
    assert_ne!(theme.style(Intent::Critical), default.style(Intent::Critical));
    assert_eq!(theme.style(Intent::Ok), default.style(Intent::Ok));

    // The user's own `default`, and one that inherits itself.
    put(home.user.path(), "themes/default.toml", "inherits = \"default\"\n[ansi16]\nok = \"white\"\n");
    let (own, faults) = load_theme("default", Depth::Ansi16, &home.search());
    assert_eq!(faults, []);
    assert_ne!(own.style(Intent::Ok), default.style(Intent::Ok));
    assert_eq!(own.style(Intent::Critical), default.style(Intent::Critical));
    put(home.user.path(), "themes/me.toml", "inherits = \"me\"\n");
    let (me, faults) = load_theme("me", Depth::Ansi16, &home.search());
    assert_eq!((faults.len(), me), (1, default));
}

#[test]
fn appearance_files_that_are_wrong_leave_the_default() {
    let home = Home::new();
    let (default, _) = load_theme("default", Depth::Ansi16, &home.search());
    let file = put(home.user.path(), "themes/open.toml", "[ansi16]\ncritical = \"magenta\"\n");
    fs::set_permissions(&file, Permissions::from_mode(0o666)).expect("sets the mode");
    put(home.user.path(), "themes/broken.toml", "[ansi16\n");
    for name in ["open", "broken", "nothing", "../x"] {
        let (theme, faults) = load_theme(name, Depth::Ansi16, &home.search());
        assert_eq!((faults.len(), &theme), (1, &default), "{name}: {faults:?}");
    }
    let keys = put(home.user.path(), "keymaps/default.toml", "[[triage]]\non = \"x\"\nrun = \"quit\"\n");
    assert_eq!(load_keymap("default", &home.search()).0.len(), 2);
    fs::set_permissions(&keys, Permissions::from_mode(0o622)).expect("sets the mode");
    let (layers, faults) = load_keymap("default", &home.search());
    assert_eq!((layers.len(), faults.len()), (1, 1));
    let (layers, faults) = load_keymap("nothing", &home.search());
    assert_eq!((layers.len(), faults.len()), (1, 1));
}

#[test]
fn procedures_lie_beside_the_profile_and_replace_those_of_what_it_extends() {
    let home = Home::new();
    let system = home.system.path();
    put(system, "profiles/base/profile.toml", "title = \"base\"\n");
    put(system, "profiles/base/procedures/full.md", "# Full, base\n");
    put(system, "profiles/base/procedures/slow.md", "# Slow\n");
    put(system, "profiles/top/profile.toml", "title = \"top\"\nextends = [\"base\"]\n");
    put(system, "profiles/top/procedures/full.md", "# Full, top\n");
    put(system, "profiles/top/procedures/notes.txt", "no document\n");
    let open = put(system, "profiles/top/procedures/open.md", "# Open\n");
    fs::set_permissions(&open, Permissions::from_mode(0o666)).expect("sets the mode");
    let odd = put(system, "profiles/top/procedures/odd.md", "");
    fs::write(&odd, b"# Odd \xff\n").expect("writes");
    let profile = home.named("top").expect("loads");
    let seen: Vec<(&str, &str, bool)> = profile
        .procedures
        .specs
        .iter()
        .map(|spec| (&*spec.id, spec.text.trim_end(), spec.trust == Trust::Trusted))
        .collect();
    let expected = [
        ("full", "# Full, top", true),
        ("slow", "# Slow", true),
        ("odd", "# Odd \u{fffd}", false),
        ("open", "# Open", false),
    ];
    assert_eq!(seen, expected);
    assert!(profile.procedures.specs.iter().all(|spec| spec.sha256.len() == 64));
    assert_eq!(
        profile.trust,
        Trust::Trusted,
        "a document that others may write leaves the profile's own actions alone"
    );
    assert_eq!(profile.faults, []);
}
