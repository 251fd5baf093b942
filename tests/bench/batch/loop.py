"""A yardstick: the same requests by aiohttp over 64 connections, each answer read as JSON, and no ledger."""

import asyncio
import sys

import aiohttp


async def main(base_url, rows):
    numbers = iter(range(rows))
    headers = {"Content-Type": "application/json", "X-Access-Token": "bench"}
    connector = aiohttp.TCPConnector(limit=64)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def work():
            for number in numbers:
                body = (
                    '{"plan_code":"PREPAID_DJEZZY","MSSIDN":"077%07d","amount":500,"ref":"bench-%08d"}'
                    % (number, number)
                )
                async with session.post(base_url + "/v3/mobile/send", data=body) as answer:
                    sent = await answer.json()
                    assert sent["data"]["topupId"]

        await asyncio.gather(*(work() for _ in range(64)))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
