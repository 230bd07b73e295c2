//! Files that variables name: a request stores their absolute paths, as a background renewal runs in
//! another working directory.

mod support;

use support::Sandbox;

#[test]
fn relative_and_home_paths_name_the_same_file_later() {
    for given in ["conf/config", "~/conf/config"] {
        let sandbox = Sandbox::new().with("AWS_CONFIG_FILE", given);
        let keys = r#"{"Version":1,"AccessKeyId":"ASIADEV","SecretAccessKey":"s","SessionToken":"t","Expiration":"2126-01-01T00:00:00Z"}"#;
        let keys = sandbox.file("keys.json", keys);
        let file =
            sandbox.file("conf/config", &format!("[profile dev]\ncredential_process = cat {}\n", keys.display()));
        sandbox.credsh(&["refresh", "--profile", "dev"]).ok();
        let name = sandbox.stored().into_iter().find_map(|name| Some(name.strip_suffix(".json")?.to_owned())).unwrap();
        let stored = std::fs::read_to_string(sandbox.store().join(name + ".json")).unwrap();
        assert!(stored.contains(&format!("\"config\":\"{}\"", file.display())), "{given}: {stored}");
    }
}
