"""Given names that are one name: the short forms of English-speaking countries, folded."""

from __future__ import annotations

from typing import Final

_GROUPS: Final = """
alexander alex sandy | andrew andy drew | anthony tony | benjamin ben benny | charles charlie chuck | christopher chris
daniel dan danny | david dave | donald don | edward ed eddie ted | elizabeth liz beth betty lizzie eliza | francis frank
frederick fred freddie | gregory greg | jacob jake | james jim jimmy jamie | jeffrey jeff | jennifer jen jenny
jessica jess jessie | john johnny jack jon | jonathan jonny | joseph joe joey | joshua josh | katherine kate kathy katie
catherine cathy | kenneth ken kenny | lawrence larry | leonard len lenny | margaret maggie meg peggy | mary molly polly
matthew matt | michael mike mick mickey | nathaniel nathan nate | nicholas nick nicky | patricia pat patty trish
patrick paddy | peter pete | philip phil | raymond ray | rebecca becky | richard rick dick rich | robert rob bob bobby
ronald ron ronnie | samantha sam | samuel sammy | stephen steve steven | susan sue suzy
theodore theo | thomas tom tommy
timothy tim | victoria vicky | vincent vince | walter walt | william will bill billy | zachary zac zack
"""
SAME_NAME: Final[dict[str, str]] = {
    name: names[0]
    for line in _GROUPS.strip().splitlines()
    for names in (group.split() for group in line.split("|"))
    for name in names
}
