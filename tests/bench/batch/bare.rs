//! A yardstick: the same requests by the same HTTP client, with nothing around them.

use std::cell::Cell;
use std::error::Error;
use std::rc::Rc;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;
use tokio::task::LocalSet;

/// Requests on the way at the same time.
const CONNECTIONS: usize = 64;

/// Posts so many top-ups over 64 connections, and reads each answer as JSON.
pub fn post_all(base_url: &str, rows: u32) -> Result<(), Box<dyn Error>> {
    // A second start in one process finds the provider already there, which is just as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .default_headers(HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (
                reqwest::header::HeaderName::from_static("x-access-token"),
                HeaderValue::from_static("bench"),
            ),
        ]))
        .http1_only()
        .no_proxy()
        .tls_certs_only(std::iter::empty())
        .build()?;
    let url = format!("{base_url}/v3/mobile/send");
    let next = Rc::new(Cell::new(0));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        let workers: Vec<_> = (0..CONNECTIONS)
            .map(|_| tokio::task::spawn_local(work(client.clone(), url.clone(), Rc::clone(&next), rows)))
            .collect();
        for worker in workers {
            worker.await??;
        }
        Ok(())
    })
}

async fn work(client: reqwest::Client, url: String, next: Rc<Cell<u32>>, rows: u32) -> Result<(), String> {
    while next.get() < rows {
        let number = next.replace(next.get() + 1);
        post(&client, &url, number)
            .await
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

async fn post(client: &reqwest::Client, url: &str, number: u32) -> Result<(), Box<dyn Error>> {
    let answer = client.post(url).body(body(number)).send().await?;
    let answer: Value = serde_json::from_slice(&answer.bytes().await?)?;
    match answer["data"]["topupId"].as_str() {
        Some(_) => Ok(()),
        None => Err(format!("no top-up was accepted: {answer}").into()),
    }
}

/// What the tool sends for a row, too.
pub fn body(number: u32) -> String {
    format!(
        "{{\"plan_code\":\"PREPAID_DJEZZY\",\"MSSIDN\":\"077{number:07}\",\"amount\":500,\"ref\":\"bench-{number:08}\"}}"
    )
}
